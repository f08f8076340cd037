import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { gate, holdNextSave, withoutWatch, write } from "../support/interference.ts";
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

  it("knows the account of tokens that only an exchange told (P14)", async () => {
    const jwt = (sub: string) => `e30.${btoa(JSON.stringify({ iss: "https://as", sub }))}.s`;
    const { clock, issuer, open, store } = startSession();
    withoutWatch(store);
    const manager = open();
    await manager.adopt({ refreshToken: canary("refresh", 1) });
    issuer.next((rotated) => ({ ...rotated, access_token: jwt("ada") }));
    expect(await manager.getAccessToken()).toBe(jwt("ada"));
    await open().signIn({ accessToken: jwt("bob"), refreshToken: "rb", expiresAt: clock.now() });
    await clock.advance(HOUR);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "account_changed" });
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
  });

  it.each([true, false])("is replaced by a sign-in back to the first account (accounts known: %s)", async (isKnown) => {
    const { clock, open, record, store } = startSession(isKnown ? { account } : {});
    const manager = open();
    const expiresAt = clock.now() + HOUR;
    for (const user of ["ada", "bob"]) await manager.signIn(tokensOf(user, expiresAt));
    const { save } = store;
    store.save = async (value, expected) => {
      store.save = save;
      await write(store, (stored) => ({ ...stored, spent: ["x"] })); // a conflict
      return save(value, expected);
    };
    expect(await manager.signIn(tokensOf("ada", expiresAt))).toBe(true);
    expect((await record()).tokens?.accessToken).toBe(canary("access", "ada"));
    expect(await manager.getAccessToken()).toBe(canary("access", "ada"));
  });

  it("is not taken for another one during its own sign-in, of which the store notifies first", async () => {
    const { clock, events, open, store } = startSession({ account });
    const manager = open();
    await manager.signIn(tokensOf("ada", clock.now() + HOUR));
    const saving = holdNextSave(store);
    const signedIn = manager.signIn(tokensOf("bob", clock.now() + HOUR));
    await settle();
    expect(await manager.getAccessToken()).toBe(canary("access", "ada"));
    saving.finish();
    await signedIn;
    await settle();
    expect(await manager.getAccessToken()).toBe(canary("access", "bob"));
    expect(events.map((event) => (event.type === "state-changed" ? event.state.status : event.type))).toEqual([
      "valid",
      "session-replaced",
    ]);
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

  it.each([
    ["before", true],
    ["after", false],
  ])(
    "ends its claim again if another program puts it back, which had ended %s the sign-in (P15)",
    async (_when, isFirst) => {
      const { clock, issuer, open, record, store } = startSession({ account });
      const ada = open();
      await ada.signIn(tokensOf("ada", clock.now()));
      const response = gate<Error>();
      issuer.next(() => response.promise.then((error) => Promise.reject(error)), { before: true });
      const renewed = ada.getAccessToken().catch(() => {});
      await settle();
      const claimed = await record();
      expect(claimed.attempt?.status).toBe("claimed");
      const end = () => {
        response.open(new TypeError("not sent"));
        return renewed;
      };
      if (isFirst) await end();
      await ada.signIn(tokensOf("bob", clock.now() + HOUR));
      await end();
      await write(store, () => claimed);
      for (let step = 0; step < 15; step++) {
        await ada.hasSession(); // frequent loads do not put it off
        await clock.advance(100);
      }
      expect((await record()).attempt?.status).not.toBe("claimed");
      const { version } = (await store.load()) ?? {};
      await clock.advance(5_000);
      expect((await store.load())?.version).toBe(version);
    },
  );
});
