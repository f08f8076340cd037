import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import {
  createTokenManager,
  createTokenPool,
  envToken,
  firstAvailable,
  onToken,
  type RefreshFailedError,
  type RejectingResponse,
  type SignInRequiredError,
  staticToken,
  TokenEndpointError,
  type TokenPoolOptions,
  type TokenSource,
  withToken,
} from "../../src/index.ts";
import { failureOf, rejection, startPools, tokenOf } from "../support/pool.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const [A1, A2, B1, C1] = [tokenOf("a"), tokenOf("a", 2), tokenOf("b"), tokenOf("c")];

describe("the entries of a pool", () => {
  it("take turns", async () => {
    const { pool } = (await startPools("a", "b", "c")).open();
    const served: unknown[] = [];
    for (let calls = 0; calls < 4; calls++) served.push(await pool.getAccessToken(), pool.source());
    expect(served).toEqual([A1, "a", B1, "b", C1, "c", A1, "a"]);
  });

  it("take turns in concurrent calls, too, and without those that are put aside", async () => {
    const { pool } = (await startPools("a", "b", "c")).open();
    const six = () => Promise.all(Array.from({ length: 6 }, () => pool.getAccessToken()));
    expect((await six()).sort()).toEqual([A1, A1, B1, B1, C1, C1]);
    await pool.replaceRejected(B1, { response: rejection(429) });
    expect((await six()).sort()).toEqual([A1, A1, A1, C1, C1, C1]);
  });

  it("are used in the order given, with fill-first", async () => {
    const { pool } = (await startPools("a", "b")).open({ strategy: "fill-first" });
    expect([await pool.getAccessToken(), await pool.getAccessToken()]).toEqual([A1, A1]);
    expect(await pool.replaceRejected(A1, { response: rejection(429) })).toBe(B1);
    expect([await pool.getAccessToken(), pool.source()]).toEqual([B1, "b"]);
  });

  it("are passed over if they have no session, or fail", async () => {
    const broken: TokenSource = {
      getTokenSet: () => Promise.reject(new Error(`no luck with ${A2}`)),
      replaceRejected: () => Promise.reject(new Error("unused")),
    };
    const pool = createTokenPool({
      empty: createTokenManager(),
      unset: envToken("UNSET", { env: {} }),
      broken,
      b: staticToken(B1),
    });
    expect(await pool.getAccessToken()).toBe(B1);
    expect(await pool.getAccessToken()).toBe(B1);
    expect(await pool.why()).toMatchObject({
      available: ["b"],
      unavailable: [
        { entry: "empty", reason: "sign_in_required", problem: "sign-in required (no_session)" },
        { entry: "unset", reason: "sign_in_required" },
        { entry: "broken", reason: "failed", problem: "it failed (Error)" },
      ],
      retryAt: undefined,
    });
  });

  it("receive minValidity", async () => {
    const { accounts, open } = await startPools("a");
    expect(await open().pool.getAccessToken({ minValidity: 2 * HOUR })).toBe(A2);
    expect(accounts.a.exchanges).toBe(1);
  });
});

describe("a rejected token", () => {
  it("puts its entry aside after a 429, for as long as Retry-After says", async () => {
    const { clock, events, open } = await startPools("a", "b");
    const { pool } = open();
    await pool.getAccessToken();
    expect(await pool.replaceRejected(A1, { response: rejection(429, { "retry-after": "90" }) })).toBe(B1);
    expect(events).toContainEqual({
      type: "entry-set-aside",
      entry: "a",
      reason: "rate_limited",
      until: clock.now() + 90_000,
    });
    await clock.advance(89_999);
    expect([await pool.getAccessToken(), await pool.getAccessToken()]).toEqual([B1, B1]);
    await clock.advance(1);
    expect([await pool.getAccessToken(), await pool.getAccessToken()].sort()).toEqual([A1, B1]);
  });

  const dates = { "retry-after": "Mon, 30 Nov 2026 10:00:30 GMT", date: "Mon, 30 Nov 2026 10:00:00 GMT" };
  it.each<[string, { response: RejectingResponse; length: number; options?: TokenPoolOptions }]>([
    ["a 429", { response: rejection(429), length: MINUTE }],
    ["a 429 without headers", { response: { status: 429 }, length: MINUTE }],
    ["a 402", { response: rejection(402), length: HOUR }],
    ["the option", { response: rejection(402), length: 24 * HOUR, options: { cooldownAfter402: 24 * HOUR } }],
    ["a 402 with Retry-After", { response: rejection(402, { "retry-after": "5" }), length: 5_000 }],
    ["a Retry-After of 0", { response: rejection(429, { "retry-after": "0" }), length: 1_000 }],
    ["a Retry-After of a year", { response: rejection(429, { "retry-after": "31536000" }), length: 24 * HOUR }],
    ["a Retry-After that cannot be read", { response: rejection(429, { "retry-after": "soon" }), length: MINUTE }],
    ["a date, by the server's clock", { response: rejection(429, dates), length: 30_000 }],
  ])("puts its entry aside for the right time: %s", async (_name, { response, length, options }) => {
    const { clock, open } = await startPools("a");
    const { pool } = open(options);
    await pool.getAccessToken();
    const error = await failureOf(pool.replaceRejected(A1, { response }));
    expect(error).toMatchObject({ code: "REFRESH_FAILED", reason: "exhausted", retryAt: clock.now() + length });
  });

  it("is renewed after a 401, by the same entry", async () => {
    const { clock, accounts, open } = await startPools("a", "b");
    const { pool } = open();
    await pool.getAccessToken();
    await clock.advance(MINUTE);
    const late = () => pool.replaceRejected(A1, { response: rejection(401) });
    expect(await Promise.all([late(), late(), late()])).toEqual([A2, A2, A2]);
    expect(accounts.a.exchanges).toBe(1);
    expect((await pool.why()).unavailable).toEqual([]);
  });

  it("puts its entry aside after a 401 if it cannot be renewed now, until it has another token", async () => {
    const { clock, accounts, open } = await startPools("a", "b");
    const { pool, managers } = open();
    await pool.getAccessToken();
    accounts.a.failure = new TokenEndpointError({ status: 503, retryAfter: 40_000, sent: true });
    expect(await pool.replaceRejected(A1, { response: rejection(401) })).toBe(B1);
    const [status] = (await pool.why()).unavailable;
    expect(status).toMatchObject({ entry: "a", reason: "rejected", until: clock.now() + 40_000 });
    expect([await pool.getAccessToken(), await pool.getAccessToken()]).toEqual([B1, B1]);
    accounts.a.failure = undefined;
    await clock.advance(2_000);
    await managers.a.refresh();
    expect([await pool.getAccessToken(), await pool.getAccessToken()].sort()).toEqual([A2, B1]);
  });

  it("puts its entry aside after a 401 if it never can be renewed, until it has another token", async () => {
    const env = { TOKEN: A1 };
    const pool = createTokenPool({ a: envToken("TOKEN", { env }), b: staticToken(B1) });
    await pool.getAccessToken();
    expect(await pool.replaceRejected(A1, { response: rejection(401) })).toBe(B1);
    expect([await pool.getAccessToken(), await pool.getAccessToken()]).toEqual([B1, B1]);
    expect((await pool.why()).unavailable).toMatchObject([
      { entry: "a", reason: "sign_in_required", until: undefined },
    ]);
    env.TOKEN = A2;
    expect([await pool.getAccessToken(), await pool.getAccessToken()].sort()).toEqual([A2, B1]);
  });

  it("puts its entry aside once, in however many late responses", async () => {
    const { clock, cooldowns, events, open } = await startPools("a", "b");
    const { pool } = open();
    await pool.getAccessToken();
    const late = () => pool.replaceRejected(A1, { response: rejection(429) });
    expect(await Promise.all(Array.from({ length: 50 }, late))).toEqual(Array(50).fill(B1));
    await clock.advance(500);
    await late();
    expect((await cooldowns.load())?.version).toBe("1");
    expect(events.filter(({ type }) => type === "entry-set-aside")).toHaveLength(1);
  });

  it("concerns the session that it belongs to, although the entry has another one by now", async () => {
    const { accounts, open } = await startPools("a", "b");
    const { pool } = open();
    await pool.getAccessToken();
    await accounts.a.signIn();
    await pool.replaceRejected(A1, { response: rejection(429) });
    expect((await pool.why()).available).toEqual(["a", "b"]);
  });

  it("is replaced by that of another entry if the pool has never seen it", async () => {
    const { open } = await startPools("a", "b");
    const { pool } = open();
    expect(await pool.replaceRejected("unknown", { response: rejection(429) })).toBe(A1);
    expect((await pool.why()).available).toEqual(["a", "b"]);
  });

  it("puts its entry aside if its caller has it from the manager itself", async () => {
    const { open } = await startPools("a", "b");
    const { pool, managers } = open();
    const rejected = await managers.a.getAccessToken();
    expect(await pool.replaceRejected(rejected, { response: rejection(429) })).toBe(B1);
    expect((await pool.why()).available).toEqual(["b"]);
  });

  it("puts its entry aside although the caller has given up", async () => {
    const { open } = await startPools("a", "b");
    const { pool } = open();
    await pool.getAccessToken();
    const signal = AbortSignal.abort(new Error("given up"));
    await expect(pool.replaceRejected(A1, { signal, response: rejection(429) })).rejects.toThrow("given up");
    expect((await pool.why()).available).toEqual(["b"]);
  });
});

describe("a pool without an available entry", () => {
  it("says why, and when one will be available", async () => {
    const { clock, accounts, open } = await startPools("a", "b", "c");
    const { pool, managers } = open();
    await pool.getAccessToken();
    await pool.getAccessToken();
    await managers.c.signOut();
    await pool.replaceRejected(A1, { response: rejection(429, { "retry-after": "60" }) });
    const error = await failureOf(pool.replaceRejected(B1, { response: rejection(402) }));
    const [minute, hour] = [clock.now() + MINUTE, clock.now() + HOUR].map((time) => new Date(time).toISOString());
    expect(String(error)).toBe(
      `RefreshFailedError: No entry of the token pool is available: a: rate limited, until ${minute}; b: its quota is used up, or payment is required, until ${hour}; c: sign-in required (signed_out). Try again after ${minute}.`,
    );
    expect(await failureOf(pool.getAccessToken())).toMatchObject({ retryAt: clock.now() + MINUTE });
    expect(pool.source()).toBeUndefined();
    expect(await pool.why()).toEqual({
      available: [],
      unavailable: [
        { entry: "a", reason: "rate_limited", until: clock.now() + MINUTE, problem: "rate limited" },
        {
          entry: "b",
          reason: "payment_required",
          until: clock.now() + HOUR,
          problem: "its quota is used up, or payment is required",
        },
        { entry: "c", reason: "sign_in_required", until: undefined, problem: "sign-in required (signed_out)" },
      ],
      retryAt: clock.now() + MINUTE,
      sharingProblem: undefined,
    });
    expect(accounts.a.exchanges).toBe(0);
  });

  it("requires a sign-in if every entry does, and notices it", async () => {
    const { accounts, open } = await startPools("a", "b");
    const { pool, managers } = open();
    await managers.a.signOut();
    await managers.b.signOut();
    const error = (await failureOf(pool.getAccessToken())) as SignInRequiredError;
    expect(error).toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "signed_out" });
    expect(error.message).toBe(
      "Sign in required: no entry of the token pool has a session that can be used: a: sign-in required (signed_out); b: sign-in required (signed_out). Have the user sign in to one of them.",
    );
    await accounts.b.signIn();
    expect(await pool.getAccessToken()).toBe(tokenOf("b", 2));
  });

  it("rejects with the error of an entry if no entry can say when to try again", async () => {
    const store = { ...(await startPools("a")).cooldowns, load: () => Promise.reject(new Error("disk on fire")) };
    const pool = createTokenPool({ a: createTokenManager(), b: createTokenManager({ store }) });
    expect(await failureOf(pool.getAccessToken())).toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  it("asks an entry again that could not be refreshed", async () => {
    const { clock, accounts, open } = await startPools("a");
    const { pool } = open();
    accounts.a.failure = new TokenEndpointError({ status: 503, retryAfter: 40_000, sent: true });
    await clock.advance(2 * HOUR);
    const error = (await failureOf(pool.getAccessToken())) as RefreshFailedError;
    expect(error).toMatchObject({ reason: "exhausted", retryAt: clock.now() + 40_000 });
    expect((await pool.why()).unavailable).toMatchObject([{ entry: "a", reason: "refresh_failed" }]);
    accounts.a.failure = undefined;
    await clock.advance(40_000);
    expect(await pool.getAccessToken()).toBe(A2);
    expect((await pool.why()).unavailable).toEqual([]);
  });
});

describe("a pool as a source", () => {
  it("works with withToken", async () => {
    const { pool } = (await startPools("a", "b")).open();
    const used: string[] = [];
    const limited = (accessToken: string) => {
      used.push(accessToken);
      if (accessToken === A1) throw Object.assign(new Error("slow down"), { status: 429 });
      return "connected";
    };
    expect(await withToken(pool, limited)).toBe("connected");
    expect(used).toEqual([A1, B1]);
  });

  it("passes on the error of withToken after a 429, if no entry is left", async () => {
    const { pool } = (await startPools("a")).open();
    const limited = () => Promise.reject(Object.assign(new Error("slow down"), { status: 429 }));
    await expect(withToken(pool, limited)).rejects.toThrow("slow down");
    await expect(withToken(pool, limited)).rejects.toMatchObject({ reason: "exhausted" });
  });

  it("learns through firstAvailable which token was rejected", async () => {
    const { pool } = (await startPools("a", "b")).open();
    const source = firstAvailable(envToken("UNSET", { env: {} }), pool);
    expect([await source.getAccessToken(), source.source()]).toEqual([A1, "a"]);
    expect([401, 402, 403, 429].map((status) => source.isRejection(status))).toEqual([true, true, false, true]);
    expect(await source.replaceRejected(A1, { response: rejection(429) })).toBe(B1);
    expect((await pool.why()).available).toEqual(["b"]);
  });

  it.each(["round-robin", "fill-first"] as const)("passes limits on to a pool in it: %s", async (strategy) => {
    const { clock, open } = await startPools("a", "b");
    const { pool: inner } = open({ strategy });
    const pool = createTokenPool({ inner, c: staticToken(C1) }, { clock, strategy: "fill-first" });
    expect(await pool.getAccessToken()).toBe(A1);
    const limit = (seconds: number) => ({ response: rejection(429, { "retry-after": `${seconds}` }) });
    expect(await pool.replaceRejected(A1, limit(3_600))).toBe(B1);
    expect((await inner.why()).unavailable).toMatchObject([{ entry: "a", until: clock.now() + HOUR }]);
    expect([await pool.getAccessToken(), (await pool.why()).unavailable]).toEqual([B1, []]);
    expect(await pool.replaceRejected(B1, limit(60))).toBe(C1);
    expect((await pool.why()).unavailable).toMatchObject([
      { entry: "inner", reason: "rate_limited", until: clock.now() + MINUTE },
    ]);
    expect(await pool.getAccessToken()).toBe(C1);
    await clock.advance(MINUTE);
    expect(await pool.getAccessToken()).toBe(B1);
  });

  it("passes a limit on although the caller has given up, and that of a token in place of another one", async () => {
    const { open } = await startPools("a", "b");
    const { pool: inner } = open();
    const pool = createTokenPool({ inner });
    await pool.getAccessToken();
    expect(await pool.replaceRejected(A1, { response: rejection(429) })).toBe(B1);
    const signal = AbortSignal.abort(new Error("given up"));
    await expect(pool.replaceRejected(B1, { signal, response: rejection(402) })).rejects.toThrow("given up");
    expect((await inner.why()).unavailable).toMatchObject([{ reason: "rate_limited" }, { reason: "payment_required" }]);
  });

  it("passes on a late limit, too, after the pool in it has been put aside", async () => {
    const { clock, open } = await startPools("a", "b");
    const { pool: inner } = open();
    const pool = createTokenPool({ inner }, { clock });
    await pool.getAccessToken();
    expect(await pool.replaceRejected(A1, { response: rejection(429) })).toBe(B1);
    await failureOf(pool.replaceRejected(B1, { response: rejection(429) }));
    await failureOf(pool.replaceRejected(A1, { response: rejection(402) }));
    expect((await inner.why()).unavailable).toMatchObject([
      { entry: "a", reason: "payment_required", until: clock.now() + HOUR },
      { entry: "b" },
    ]);
  });

  it("puts an entry aside for the limit if that has no other token", async () => {
    const { clock } = await startPools();
    const replaceRejected = () => Promise.reject(new Error("no other"));
    const source: TokenSource = { ...staticToken(A1), replaceRejected, isRejection: () => true };
    const pool = createTokenPool({ a: source, b: staticToken(B1) }, { clock });
    await pool.getAccessToken();
    expect(await pool.replaceRejected(A1, { response: rejection(429) })).toBe(B1);
    expect((await pool.why()).unavailable).toMatchObject([{ reason: "rate_limited", until: clock.now() + MINUTE }]);
  });

  it("gives onToken another token when an entry is put aside", async () => {
    const { open } = await startPools("a", "b");
    const { pool } = open({ strategy: "fill-first" });
    const seen: unknown[] = [];
    const next = () => new Promise((resolve) => onToken(pool, (token) => resolve(seen.push(token))));
    await next();
    await pool.replaceRejected(A1, { response: rejection(429) });
    await expect.poll(() => seen).toEqual([A1, B1]);
  });

  it("rejects with the reason of a signal that aborts, and puts nothing aside", async () => {
    const { pool } = (await startPools("a")).open();
    const signal = AbortSignal.abort(new Error("given up"));
    await expect(pool.getAccessToken({ signal })).rejects.toThrow("given up");
    await expect(pool.replaceRejected(A1, { signal, response: rejection(401) })).rejects.toThrow("given up");
    expect((await pool.why()).available).toEqual(["a"]);
  });

  it("goes on to the next entry if a source does not respond", async () => {
    const { clock } = await startPools();
    const hanging: TokenSource = {
      getTokenSet: () => new Promise(() => {}),
      replaceRejected: () => new Promise(() => {}),
    };
    const pool = createTokenPool({ hanging, b: staticToken(B1) }, { clock });
    const token = pool.getAccessToken();
    await clock.advance(MINUTE);
    expect(await token).toBe(B1);
  });
});

describe("createTokenPool", () => {
  it.each([
    [null, {}, "sources: expected an object of named token sources, not null."],
    [[], {}, "sources: expected an object of named token sources, not an array."],
    [{}, {}, "createTokenPool: expected at least one token source."],
    [{ a: {} }, {}, "sources.a: expected a token manager or another TokenSource, not another object."],
    [{ "": staticToken("x") }, {}, "sources: expected names of 1 to 200 characters."],
    [
      { a: staticToken("x") },
      { strategy: "random" },
      'strategy: expected "round-robin" or "fill-first", not a string.',
    ],
    [
      { a: staticToken("x") },
      { cooldownAfter402: 0 },
      "cooldownAfter402: expected milliseconds above 0, at most 24 hours, not 0.",
    ],
    [
      { a: staticToken("x") },
      { cooldowns: {} },
      "cooldowns.load: invalid. Expected cooldowns to be a TokenStore, such as fileStore({ path }).",
    ],
  ])("rejects %j, %j", (sources, options, message) => {
    expect(() => createTokenPool(sources as never, options as never)).toThrow(new TypeError(message));
  });

  it("rejects calls after close, and arguments that are invalid", async () => {
    const { open } = await startPools("a");
    const { pool, managers } = open();
    await expect(pool.replaceRejected(1 as never)).rejects.toThrow(TypeError);
    expect(() => pool.subscribe("x" as never)).toThrow(TypeError);
    {
      await using other = open().pool;
      expect(await other.getAccessToken()).toBe(A1);
    }
    await pool.close();
    for (const call of [pool.getAccessToken(), pool.replaceRejected(canary("access", 1)), pool.why()])
      await expect(call).rejects.toThrow("This token pool is closed. Create a new one.");
    expect(await managers.a.getAccessToken()).toBe(A1);
  });
});
