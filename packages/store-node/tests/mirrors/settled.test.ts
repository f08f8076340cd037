import { expect, it } from "vitest";
import { documentWith, HOUR, startMirrors } from "./support.ts";

it("waits until the primary has settled after a failover, before it refreshes", async () => {
  const { issuer, open, primary } = startMirrors(documentWith(1, Date.UTC(2026, 0, 1) - HOUR));
  const presented: number[] = [];
  primary.settled = async () => {
    presented.push(issuer.presented.length);
  };
  await using tokens = open();
  await tokens.getAccessToken();
  expect(presented).toEqual([0]);
});
