import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import type { TokenManager, TokenSet, TokenStore } from "../../src/index.ts";
import { reconcileRecords, recordOfFound } from "../../src/session-record.ts";
import { holdNextSave, withoutWatch } from "../support/interference.ts";
import { startSession, tokensOf } from "../support/session.ts";

const EXPIRY = 10 ** 13;

/** Has the store confirm the second save from now late. */
function holdSecondSave(store: TokenStore) {
  const { save } = store;
  let held: ReturnType<typeof holdNextSave> | undefined;
  store.save = (value, expected) => {
    store.save = save;
    held = holdNextSave(store);
    return save(value, expected);
  };
  return { finish: () => held?.finish() };
}

describe("a save that is confirmed after the session was signed out, and another process has signed in", () => {
  it.each<[string, (manager: TokenManager) => Promise<unknown>, typeof holdNextSave]>([
    ["a sign-in", (manager) => manager.signIn(tokensOf("ada", EXPIRY)), holdNextSave],
    ["a sign-out", (manager) => manager.signOut({ revoke: false }), holdNextSave],
    ["a claim", (manager) => manager.refresh(), holdNextSave],
    ["a commit", (manager) => manager.refresh(), holdSecondSave],
  ])("does not bring back what it replaced: %s (P3)", async (_name, change, hold) => {
    const { clock, open, signIn, store } = startSession({ background: false });
    withoutWatch(store);
    const manager = await signIn();
    const held = hold(store);
    const changing = change(manager).catch(() => {});
    await settle();
    await manager.signOut({ revoke: false });
    await open().signIn(tokensOf("other", EXPIRY));
    const asking = manager.getAccessToken();
    await settle();
    held.finish();
    await clock.advance(10); // after a claim that was not made, it waits for a moment
    await changing;
    expect(await asking).toBe(canary("access", "other"));
    expect(await manager.getAccessToken()).toBe(canary("access", "other"));
  });

  it("does not tie the manager to that session's account, if it is another one (P14)", async () => {
    const account = ({ accessToken }: TokenSet) => (accessToken === canary("access", "bob") ? "bob" : "ada");
    const { clock, open, store } = startSession({ background: false, account });
    withoutWatch(store);
    const manager = open();
    await manager.signIn(tokensOf("first", EXPIRY));
    const held = holdNextSave(store);
    const signingIn = manager.signIn(tokensOf("ada", EXPIRY));
    await settle();
    const { value = "", version } = (await store.load()) ?? {};
    const found = recordOfFound({ tokens: tokensOf("bob", EXPIRY) }, clock.now()); // its document states no account
    await store.save(reconcileRecords(value, found, clock.now()), version);
    const refreshing = manager.refresh().catch(() => undefined); // finds the other session
    await settle();
    held.finish();
    await signingIn;
    const changed = { code: "SIGN_IN_REQUIRED", reason: "account_changed" };
    expect(await refreshing).toBeUndefined();
    await expect(manager.getAccessToken()).rejects.toMatchObject(changed);
  });

  it("is not a claim that is used (P3)", async () => {
    const { clock, issuer, open, signIn, store } = startSession();
    withoutWatch(store);
    const manager = await signIn();
    const held = holdNextSave(store);
    const refreshing = manager.refresh();
    await settle();
    await manager.signOut({ revoke: false });
    await open().signIn(tokensOf("other", EXPIRY));
    held.finish();
    await clock.advance(10);
    await refreshing.catch(() => {});
    expect(issuer.presented).not.toContain(canary("refresh", 1));
  });
});
