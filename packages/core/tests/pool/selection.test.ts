import { describe, expect, it, vi } from "vitest";
import {
  createTokenPool,
  envToken,
  RefreshFailedError,
  staticToken,
  TokenEndpointError,
  type TokenSource,
  type TokenStore,
} from "../../src/index.ts";
import { failureOf, rejection, startPools, tokenOf } from "../support/pool.ts";

const [A1, A2, B1] = [tokenOf("a"), tokenOf("a", 2), tokenOf("b")];
const LIMITED = { response: rejection(429, { "retry-after": "3600" }) };

/** A store that does not notify, and counts its loads. */
const withoutWatch = ({ watch: _, ...store }: TokenStore) => ({
  ...store,
  supports: { compareAndSet: "host", durable: false } as const,
  load: vi.fn(store.load),
});

describe("an entry that is put aside", () => {
  it("is looked at now and then while others are available, if its store does not notify", async () => {
    const { clock, accounts, open } = await startPools("a", "b");
    Object.assign(accounts.a, { store: withoutWatch(accounts.a.store) });
    const { pool } = open({ strategy: "fill-first" });
    await pool.getAccessToken();
    await pool.replaceRejected(A1, LIMITED);
    await accounts.a.signIn();
    await clock.advance(5_000);
    expect(await pool.getAccessToken()).toBe(B1);
    await clock.advance(0);
    expect(await pool.getAccessToken()).toBe(A2);
  });

  it("is named by its variable if that is not set", async () => {
    const pool = createTokenPool({ a: envToken("NOPE", { env: {} }) });
    await expect(pool.getAccessToken()).rejects.toThrow("a: sign-in required (no_session, environment variable NOPE)");
    expect((await pool.why()).unavailable[0]?.problem).toContain("environment variable NOPE");
  });

  it("is that of its token, without a session", async () => {
    const env: Record<string, string> = { A: A1 };
    const pool = createTokenPool({ a: envToken("A", { env }), b: staticToken(B1) }, { strategy: "fill-first" });
    await pool.getAccessToken();
    expect(await pool.replaceRejected(A1, LIMITED)).toBe(B1);
    expect(await pool.getAccessToken()).toBe(B1);
    env.A = A2;
    expect(await pool.getAccessToken()).toBe(A2);
  });

  it("is that of its refresh token, if it has one, also after its source has replaced a rejected token", async () => {
    const tokens = { accessToken: A1, refreshToken: "canary-refresh" };
    const byHand: TokenSource = {
      getTokenSet: async () => ({ ...(await staticToken(tokens.accessToken).getTokenSet()), ...tokens }),
      replaceRejected: async () => {
        tokens.accessToken = A2;
        return A2;
      },
    };
    const pool = createTokenPool({ byHand, b: staticToken(B1) }, { strategy: "fill-first" });
    await pool.getAccessToken();
    expect(await pool.replaceRejected(A1, { response: rejection(401) })).toBe(A2);
    expect(await pool.replaceRejected(A2, LIMITED)).toBe(B1);
    expect(await pool.getAccessToken()).toBe(B1);
  });

  it("keeps what a later release added to its cooldown, if that is prolonged", async () => {
    const { cooldowns, open } = await startPools("a");
    const [first, second] = [open().pool, open().pool];
    await Promise.all([first.getAccessToken(), second.getAccessToken()]);
    await failureOf(first.replaceRejected(A1, { response: rejection(429) }));
    const { value, version } = (await cooldowns.load()) ?? { value: "", version: "" };
    await cooldowns.save(value.replace('"entry":"a"', '"entry":"a","note":1'), version);
    await failureOf(second.replaceRejected(A1, LIMITED));
    const stored = JSON.parse((await cooldowns.load())?.value ?? "");
    expect(stored.cooldowns).toMatchObject([{ entry: "a", note: 1, length: 3_600_000 }]);
  });

  it("is not refreshed for a late 401", async () => {
    const { clock, accounts, open } = await startPools("a", "b");
    const { pool } = open();
    await pool.getAccessToken();
    await clock.advance(60_000);
    await pool.replaceRejected(A1, LIMITED);
    expect(await pool.replaceRejected(A1, { response: rejection(401) })).toBe(B1);
    expect(accounts.a.exchanges).toBe(0);
  });

  it("is put aside together with another one that has the same session", async () => {
    const { clock, cooldowns, accounts } = await startPools("a");
    const open = (...names: string[]) =>
      createTokenPool(Object.fromEntries(names.map((name) => [name, accounts.a.open()])), { clock, cooldowns });
    const pool = open("a", "same");
    expect([await pool.getAccessToken(), await pool.getAccessToken()]).toEqual([A1, A1]);
    const error = await failureOf(pool.replaceRejected(A1, LIMITED));
    expect(String(error)).toMatch(/ a: rate limited, until .*; same: rate limited, until /);
    expect((await pool.why()).available).toEqual([]);
    expect(await open("of another API").getAccessToken()).toBe(A1);
    await accounts.a.signIn();
    expect((await pool.why()).available).toEqual(["a", "same"]);
  });

  it("is not announced by the pool of other entries", async () => {
    const { clock, cooldowns, events, open } = await startPools("a", "b");
    const others = createTokenPool({ other: staticToken("x") }, { clock, cooldowns });
    const heard = vi.fn();
    others.subscribe(heard);
    await others.getAccessToken();
    const { pool } = open();
    await pool.getAccessToken();
    await pool.replaceRejected(A1, LIMITED);
    expect(events.map(({ type }) => type)).toContain("entry-set-aside");
    await others.why();
    expect(heard).not.toHaveBeenCalled();
  });
});

describe("an entry that failed", () => {
  it("is asked last for 30 seconds", async () => {
    const { clock } = await startPools();
    const getTokenSet = vi.fn(() => Promise.reject(new Error("disk on fire")));
    const broken: TokenSource = { ...staticToken(A1), getTokenSet };
    const pool = createTokenPool({ broken, b: staticToken(B1) }, { clock, strategy: "fill-first" });
    expect([await pool.getAccessToken(), await pool.getAccessToken()]).toEqual([B1, B1]);
    await clock.advance(29_999);
    await pool.getAccessToken();
    expect(getTokenSet).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    await pool.getAccessToken();
    expect(getTokenSet).toHaveBeenCalledTimes(2);
  });

  it("is asked last until its retryAt, or until it has other tokens", async () => {
    const { clock, accounts, open } = await startPools("a", "b");
    const { pool, managers } = open({ strategy: "fill-first" });
    const asked = vi.spyOn(managers.a, "getTokenSet");
    await clock.advance(2 * 3_600_000);
    accounts.a.failure = new TokenEndpointError({ status: 503, retryAfter: 40_000, sent: true });
    const b2 = await pool.getAccessToken();
    await clock.advance(35_000);
    expect([b2, await pool.getAccessToken()]).toEqual([tokenOf("b", 2), b2]);
    expect(asked).toHaveBeenCalledTimes(1);
    await accounts.a.signIn();
    expect(await pool.getAccessToken()).toBe(A2);
  });

  it("is asked each time if it has no token, and is available as soon as it has one", async () => {
    const env: Record<string, string> = {};
    const pool = createTokenPool({ a: envToken("A", { env }), b: staticToken(B1) }, { strategy: "fill-first" });
    expect(await pool.getAccessToken()).toBe(B1);
    env.A = A1;
    expect(await pool.getAccessToken()).toBe(A1);
    expect(await pool.why()).toMatchObject({ available: ["a", "b"], unavailable: [] });
  });

  it("is not asked if it needs a sign-in, unless no other one is left", async () => {
    const { accounts, open } = await startPools("a", "b");
    const store = withoutWatch(accounts.a.store);
    Object.assign(accounts.a, { store });
    const { pool, managers } = open({ strategy: "fill-first" });
    await managers.a.signOut();
    await pool.getAccessToken();
    store.load.mockClear();
    expect(await pool.getAccessToken()).toBe(B1);
    expect(store.load).not.toHaveBeenCalled();
  });

  it.each([Number.POSITIVE_INFINITY, Number.NaN, 9e15])("may name a retryAt that is no date: %d", async (retryAt) => {
    const { clock } = await startPools();
    const fail = () => Promise.reject(new RefreshFailedError(retryAt));
    const pool = createTokenPool({ a: { ...staticToken(A1), getTokenSet: fail } }, { clock });
    expect(await failureOf(pool.getAccessToken())).toMatchObject({ retryAt });
    expect((await pool.why()).unavailable).toMatchObject([{ reason: "refresh_failed", until: undefined }]);
    const other = createTokenPool({ b: { ...staticToken(B1), replaceRejected: fail } }, { clock });
    await other.getAccessToken();
    await failureOf(other.replaceRejected(B1, { response: rejection(401) }));
    expect((await other.why()).unavailable).toMatchObject([{ entry: "b", reason: "rejected" }]);
  });

  it("does not count as failed if its caller gave up", async () => {
    const controller = new AbortController();
    const getTokenSet = () => {
      queueMicrotask(() => controller.abort(new Error("given up")));
      return new Promise<never>(() => {});
    };
    const pool = createTokenPool({ hanging: { ...staticToken(A1), getTokenSet } });
    const call = pool.getAccessToken({ signal: controller.signal });
    await expect(call).rejects.toThrow("given up");
    expect((await pool.why()).available).toEqual(["hanging"]);
  });
});

describe("the token in place of a rejected one", () => {
  it("is never the same, even if another entry has it", async () => {
    const pool = createTokenPool({ a: staticToken(A1), b: staticToken(A1) });
    await pool.getAccessToken();
    expect(await failureOf(pool.replaceRejected(A1, LIMITED))).toMatchObject({ reason: "exhausted" });
  });

  it("is never the same, even if its own source returns that", async () => {
    const stubborn: TokenSource = { ...staticToken(A1), replaceRejected: async (rejected) => rejected };
    const pool = createTokenPool({ stubborn, b: staticToken(B1) });
    await pool.getAccessToken();
    expect(await pool.replaceRejected(A1, { response: rejection(401) })).toBe(B1);
  });

  it("tells source() which entry served", async () => {
    const { clock, open } = await startPools("a", "b");
    const { pool } = open();
    await pool.getAccessToken();
    await clock.advance(60_000);
    await pool.getAccessToken();
    expect(pool.source()).toBe("b");
    expect(await pool.replaceRejected(A1, { response: rejection(401) })).toBe(A2);
    expect(pool.source()).toBe("a");
  });
});

describe("a cooldown that could not be stored", () => {
  it("is stored with the next late response, for which close() waits", async () => {
    const { cooldowns, open } = await startPools("a", "b");
    const { watch: _, ...store } = cooldowns;
    const save = vi.fn(cooldowns.save).mockRejectedValueOnce(new Error("disk full"));
    const { pool } = open({ cooldowns: { ...store, save } });
    await pool.getAccessToken();
    await pool.replaceRejected(A1, LIMITED);
    expect((await pool.why()).sharingProblem).toContain("it failed (Error)");
    const late = pool.replaceRejected(A1, LIMITED);
    await pool.close();
    expect((await cooldowns.load())?.value).toContain('"entry":"a"');
    await failureOf(late);
  });
});
