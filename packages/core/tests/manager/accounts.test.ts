import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { withoutWatch, write } from "../support/interference.ts";
import { account, startSession, tokensOf } from "../support/session.ts";

const HOUR = 3_600_000;

describe("a manager of one account, when another account signs in", () => {
  it("never presents the refresh token of the other account, even if the record names no account (P14)", async () => {
    const jwt = (sub: string) => `e30.${btoa(JSON.stringify({ sub }))}.s`;
    const { clock, issuer, open, store } = startSession();
    withoutWatch(store);
    const manager = open();
    await manager.signIn({ accessToken: jwt("ada"), refreshToken: "ra", expiresAt: clock.now() });
    await write(store, () => ({
      schema: 1,
      obtainedAt: 0,
      spent: [],
      tokens: { accessToken: jwt("bob"), refreshToken: "rb", expiresAt: clock.now(), tokenType: "Bearer", extra: {} },
    }));
    await manager.getAccessToken().catch(() => {});
    expect(issuer.presented).toEqual([]);
  });

  it("never returns a token of the other account, at whatever moment it signs in (P14)", async () => {
    const got: string[] = [];
    for (let turns = 0; turns < 40; turns++) {
      const { clock, open, store } = startSession({ account });
      withoutWatch(store);
      const manager = open();
      await manager.signIn({
        accessToken: "ada",
        refreshToken: "ra",
        expiresAt: clock.now() + HOUR,
        extra: { user: "ada" },
      });
      await clock.advance(HOUR - 60_000);
      await open().signIn({
        accessToken: "bob",
        refreshToken: "rb",
        expiresAt: clock.now() + HOUR,
        extra: { user: "bob" },
      });
      void manager.hasSession();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      got.push(await manager.getAccessToken().catch((error) => error.reason as string));
    }
    expect(got).not.toContain("bob");
  });

  it("does not sign the other account out (P14)", async () => {
    const { open, record } = startSession({ account });
    const ada = open();
    await ada.signIn({ accessToken: canary("access", "ada"), extra: { user: "ada" } });
    await open().signIn({ accessToken: canary("access", "bob"), extra: { user: "bob" } });
    await ada.signOut();
    expect(await record()).toMatchObject({ tokens: { accessToken: canary("access", "bob") } });
    await expect(ada.getAccessToken()).rejects.toMatchObject({ reason: "account_changed" });
  });

  it("reports account_changed if an old session of the other account is put back (P14)", async () => {
    const { clock, open, record, store } = startSession({ account });
    withoutWatch(store);
    await open().signIn(tokensOf("bob", clock.now()));
    const old = await record();
    const ada = open();
    await ada.signIn(tokensOf("ada", clock.now()));
    await write(store, () => old);
    const { load } = store;
    let loads = 0;
    store.load = () => (++loads > 20 ? new Promise(() => {}) : load());
    let result: unknown;
    ada.getAccessToken().catch((error: unknown) => {
      result = error;
    });
    await settle();
    expect(result).toMatchObject({ reason: "account_changed" });
    expect(loads).toBeLessThan(5);
  });
});
