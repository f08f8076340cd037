import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTokenManager, type RefreshFunction } from "@unexpired/core";
import { canary } from "@unexpired-internal/test-support/canary";
import { expect, it } from "vitest";
import { fileDocument, fileStore, jsonFormat, mirroredStore } from "../../src/index.ts";
import { freshDirectory } from "../support.ts";
import { HOUR, sessionOf } from "./support.ts";

const accessToken = "access";

it.each([
  ["the access token", jsonFormat({ at: ["session"], fields: { accessToken } })],
  ["the access token and its expiry", jsonFormat({ at: ["session"], fields: { accessToken, expiresAt: "expires" } })],
])("a document that shows only %s does not cost the session its refresh token", async (_what, format) => {
  const directory = freshDirectory();
  const path = join(directory, "document");
  writeFileSync(path, "{}");
  const presented: (string | undefined)[] = [];
  const refresh: RefreshFunction = async ({ refreshToken }) => {
    presented.push(refreshToken);
    return sessionOf(100 + presented.length, Date.now() + HOUR);
  };
  const document = fileDocument({ path, format });
  const open = () =>
    createTokenManager({
      store: mirroredStore(fileStore({ path: join(directory, "session.json") }), [fileDocument({ path, format })]),
      refresh,
    });
  const shown = async () => {
    const { text: found = "" } = await document.read();
    return format.parse(found)?.tokens.accessToken;
  };
  await using one = open();
  await one.signIn(sessionOf(1, Date.now() + HOUR));
  expect(await shown()).toBe(canary("access", 1));
  await one.refresh();
  expect(await shown()).toBe(canary("access", 101));
  await using two = open();
  expect(await two.getAccessToken()).toBe(canary("access", 101));
  await two.refresh();
  expect(presented).toEqual([canary("refresh", 1), canary("refresh", 101)]);
  await two.signOut();
  expect(await shown()).toBeUndefined();
  await using three = open();
  expect(await three.hasSession()).toBe(false);
});
