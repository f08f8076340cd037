import { describe, expect, it } from "vitest";
import { StoreError } from "../../src/index.ts";
import { printed } from "../support/leaks.ts";
import { account, startSession, tokensOf } from "../support/session.ts";

const HOUR = 3_600_000;

describe("peek", () => {
  it("returns nothing if nothing is stored", async () => {
    expect(await startSession().open().peek()).toBeUndefined();
  });

  it("returns what is stored, without tokens, and sends nothing even if they have expired", async () => {
    const { clock, issuer, open } = startSession({ account });
    await open().signIn({ ...tokensOf("ada", clock.now() + HOUR), scope: "read write" });
    const obtainedAt = clock.now();
    const info = {
      account: "ada",
      expiresAt: obtainedAt + HOUR,
      refreshTokenExpiresAt: undefined,
      scope: "read write",
      tokenType: "Bearer",
      obtainedAt,
      renewable: true,
      reason: undefined,
    };
    await clock.advance(2 * HOUR);
    const found = await open().peek();
    expect(found).toEqual(info);
    expect(printed(found)).not.toContain("canary");
    expect(issuer.presented).toEqual([]);
    expect(await open({ refresh: undefined as never }).peek()).toEqual({ ...info, renewable: false });
  });

  it("says why a session has ended", async () => {
    const { clock, open, signIn } = startSession();
    const manager = await signIn();
    await clock.advance(HOUR);
    await manager.signOut();
    expect(await open().peek()).toMatchObject({ reason: "signed_out", renewable: false, obtainedAt: clock.now() });
  });

  it("fails if the store cannot be read", async () => {
    const { open, store } = startSession();
    const failure = new StoreError("STORE_UNREADABLE", { location: "here", problem: "is damaged", hint: "Repair it." });
    store.load = () => Promise.reject(failure);
    await expect(open().peek()).rejects.toMatchObject({ code: "STORE_UNREADABLE", location: "here" });
  });
});
