import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { write } from "../support/interference.ts";
import { startSession } from "../support/session.ts";

describe("a session that a later release has ended", () => {
  it("counts as expired if the reason is unknown", async () => {
    const { open, signIn, store } = startSession();
    await signIn();
    await write(store, (record) => ({ ...record, tokens: undefined, dead: { reason: "of a later release" } }));
    await expect(open().getAccessToken()).rejects.toMatchObject({ reason: "session_expired" });
  });

  it("is alive again after a sign-in with the refresh token that it kept", async () => {
    const { issuer, open, signIn, store } = startSession();
    await signIn();
    await write(store, (record) => ({ ...record, dead: { reason: "interaction_required" } }));
    const manager = open();
    expect(await manager.signIn(issuer.tokens())).toBe(true);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });
});
