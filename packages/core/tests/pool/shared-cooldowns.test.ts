import { describe, expect, it, vi } from "vitest";
import { memoryStore, StoreConflictError, TokenEndpointError, type TokenStore } from "../../src/index.ts";
import { printed } from "../support/leaks.ts";
import { failureOf, rejection, startPools, tokenOf } from "../support/pool.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const [A1, A2, B1] = [tokenOf("a"), tokenOf("a", 2), tokenOf("b")];
const LIMITED = { response: rejection(429, { "retry-after": "3600" }) };

/** Two pools that share cooldowns: each stands for a process. In the first one, `a` has been put aside for an hour. */
async function startTwo(options: { cooldowns?: TokenStore } = {}) {
  const session = await startPools("a", "b");
  const pools = { strategy: "fill-first", cooldowns: session.cooldowns, ...options } as const;
  const [first, second] = [session.open(pools), session.open(pools)];
  expect(await second.pool.getAccessToken()).toBe(A1);
  expect(await first.pool.getAccessToken()).toBe(A1);
  expect(await first.pool.replaceRejected(A1, LIMITED)).toBe(B1);
  const third = () => session.open(pools).pool.getAccessToken();
  return { ...session, first: first.pool, second: second.pool, managers: first.managers, third };
}

const without = ({ watch: _, ...store }: TokenStore): TokenStore => store;

describe("a cooldown", () => {
  it("counts at once for every process, running or started later", async () => {
    const { second, third } = await startTwo();
    expect([await second.getAccessToken(), await third()]).toEqual([B1, B1]);
    expect((await second.why()).unavailable).toMatchObject([{ entry: "a", reason: "rate_limited" }]);
  });

  it("counts for other processes within seconds if its store does not notify", async () => {
    const { clock, second } = await startTwo({ cooldowns: without(memoryStore()) });
    expect(await second.getAccessToken()).toBe(A1);
    await clock.advance(5_000);
    await second.getAccessToken(); // looks in the background
    await clock.advance(0);
    expect(await second.getAccessToken()).toBe(B1);
  });

  it("is over for every process as soon as one of them, or another program, has signed in", async () => {
    const { accounts, first, second, third } = await startTwo();
    await accounts.a.signIn();
    expect([await first.getAccessToken(), await second.getAccessToken(), await third()]).toEqual([A2, A2, A2]);
    expect((await first.why()).available).toEqual(["a", "b"]);
  });

  it("is over after a sign-in that a process has not been notified of, at the latest if no entry is left", async () => {
    const { cooldowns, clock, accounts, open } = await startPools("a");
    Object.assign(accounts.a, {
      store: without({ ...accounts.a.store, supports: { compareAndSet: "host", durable: false } }),
    });
    const { pool } = open({ cooldowns });
    await pool.getAccessToken();
    await failureOf(pool.replaceRejected(A1, LIMITED));
    await accounts.a.signIn();
    expect(await pool.getAccessToken()).toBe(A2);
    await clock.advance(0);
  });

  it("is over after a sign-in that took place before this process started", async () => {
    const { accounts, third } = await startTwo();
    await accounts.a.signIn();
    expect(await third()).toBe(A2);
  });

  it("delays the first calls of a process by two seconds if the session's store hangs, not the others", async () => {
    const { accounts, clock, cooldowns, open } = await startTwo();
    Object.assign(accounts.a, { store: { ...memoryStore(), load: () => new Promise(() => {}) } });
    const { pool } = open({ cooldowns, strategy: "fill-first" });
    const calls = [pool.getAccessToken(), pool.getAccessToken()];
    await clock.advance(2_000);
    expect(await Promise.all([...calls, pool.getAccessToken()])).toEqual([B1, B1, B1]);
  });

  it("outlives a refresh of its session", async () => {
    const { managers, first, second, third } = await startTwo();
    await managers.a.refresh();
    expect([await first.getAccessToken(), await second.getAccessToken(), await third()]).toEqual([B1, B1, B1]);
  });

  it("is over after a refresh, if the reason was the refresh", async () => {
    const { clock, accounts, open } = await startPools("a", "b");
    const [first, second] = [open({ strategy: "fill-first" }), open({ strategy: "fill-first" })];
    await first.pool.getAccessToken();
    accounts.a.failure = new TokenEndpointError({ status: 503, retryAfter: 40_000, sent: true });
    expect(await first.pool.replaceRejected(A1, { response: rejection(401) })).toBe(B1);
    expect(await second.pool.getAccessToken()).toBe(B1);
    accounts.a.failure = undefined;
    await clock.advance(2_000);
    await accounts.a.open().refresh();
    expect([await first.pool.getAccessToken(), await second.pool.getAccessToken()]).toEqual([A2, A2]);
  });
});

describe("the end of a cooldown", () => {
  it("does not move when the wall clock is set back", async () => {
    const { clock, first, second } = await startTwo();
    await second.getAccessToken();
    clock.jump(-24 * HOUR);
    await clock.advance(HOUR - 1);
    expect([await first.getAccessToken(), await second.getAccessToken()]).toEqual([B1, B1]);
    await clock.advance(1);
    expect((await first.why()).available).toEqual(["a", "b"]);
    expect((await second.why()).available).toEqual(["a", "b"]);
  });

  it("comes with the wall clock after the machine has slept", async () => {
    const { clock, first } = await startTwo();
    clock.jump(HOUR);
    expect((await first.why()).available).toContain("a");
  });

  it("is the later one of two processes, in whatever order they save", async () => {
    const { clock, cooldowns, open } = await startPools("a");
    const [first, second] = [open().pool, open().pool];
    await Promise.all([first.getAccessToken(), second.getAccessToken()]);
    const limit = (seconds: number) => ({ response: rejection(429, { "retry-after": `${seconds}` }) });
    const [late, early] = await Promise.all([
      failureOf(first.replaceRejected(A1, limit(300))),
      failureOf(second.replaceRejected(A1, limit(30))),
    ]);
    const ends = JSON.parse((await cooldowns.load())?.value ?? "").cooldowns.map(
      (each: { until: number }) => each.until,
    );
    expect(ends).toEqual([clock.now() + 300_000]);
    expect([late, early]).toMatchObject([{ reason: "exhausted" }, { reason: "exhausted" }]);
    for (const pool of [first, second]) expect((await pool.why()).retryAt).toBe(clock.now() + 300_000);
  });

  it("is at most a day away, whatever the store says", async () => {
    const { clock, cooldowns, open } = await startPools("a");
    const { pool } = open();
    await pool.getAccessToken();
    await failureOf(pool.replaceRejected(A1, LIMITED));
    const { value, version } = (await cooldowns.load()) ?? { value: "", version: "" };
    const until = clock.now() + 24.5 * HOUR;
    const text = value.replace(/"until":\d+/, `"until":${until}`).replace(/"length":\d+/, '"length":1e300');
    await cooldowns.save(text, version);
    expect((await pool.why()).retryAt).toBe(clock.now() + 24 * HOUR);
  });

  it("counts only if its length allows it: a clock may have been a year ahead", async () => {
    const { clock, cooldowns, open } = await startPools("a", "b");
    const limit = async () => {
      const { pool } = open({ strategy: "fill-first" });
      expect(await pool.getAccessToken()).toBe(A1);
      expect(await pool.replaceRejected(A1, { response: rejection(429) })).toBe(B1);
    };
    const load = async () => (await cooldowns.load()) ?? { value: "", version: "" };
    const whyAt = async (until: number) => {
      const { value, version } = await load();
      await cooldowns.save(value.replace(/"until":\d+/, `"until":${until}`), version);
      return (await open().pool.why()).unavailable;
    };
    await limit();
    const end = clock.now() + MINUTE;
    expect(await whyAt(end + HOUR)).toMatchObject([{ entry: "a", until: end }]);
    expect(await whyAt(end + HOUR + 1)).toEqual([]);
    expect(await whyAt(end + 365 * 24 * HOUR)).toEqual([]);
    await limit();
    expect(JSON.parse((await load()).value).cooldowns).toMatchObject([{ entry: "a", until: end }]);
  });
});

describe("the stored cooldowns", () => {
  const parse = async (store: TokenStore) => JSON.parse((await store.load())?.value ?? "null");

  it("hold no token, and neither does anything else that a pool shows", async () => {
    const { cooldowns, first, managers } = await startTwo();
    const { value } = (await cooldowns.load()) ?? { value: "" };
    await managers.b.signOut();
    const failure = await failureOf(first.getAccessToken());
    const rejected = first.replaceRejected("x").catch(() => {});
    const shown = printed([first, await first.why(), failure, first.getAccessToken().catch(() => {}), rejected]);
    expect(`${value} ${shown}`).not.toContain("canary");
    expect(value).toContain('"entry":"a"');
  });

  it("keep what later releases add, and count a reason of theirs", async () => {
    const { cooldowns, second, first, open } = await startTwo();
    const stored = await parse(cooldowns);
    const { version } = (await cooldowns.load()) ?? {};
    const later = { ...stored, note: 1, cooldowns: [{ ...stored.cooldowns[0], reason: "banned", note: 2 }] };
    await cooldowns.save(JSON.stringify(later), version);
    const { pool } = open({ strategy: "fill-first" });
    expect(await pool.getAccessToken()).toBe(B1);
    expect((await pool.why()).unavailable).toMatchObject([{ entry: "a", reason: "rate_limited" }]);
    await failureOf(pool.replaceRejected(B1, LIMITED));
    expect(await parse(cooldowns)).toMatchObject({
      note: 1,
      cooldowns: [{ reason: "banned", note: 2 }, { entry: "b" }],
    });
    await Promise.all([first.close(), second.close()]);
  });

  it.each([
    ["text that is no JSON", "not JSON"],
    ["something else", "{}"],
    ["a session", JSON.stringify({ schema: 1, obtainedAt: 0, spent: [] })],
    ["what only a later release may change", JSON.stringify({ schema: 1, cooldowns: [], requires: ["magic"] })],
    ["a later schema", JSON.stringify({ schema: 2, cooldowns: [] })],
  ])("are left alone if the store holds %s: the pool goes on by itself", async (_name, value) => {
    const { cooldowns, open } = await startPools("a", "b");
    await cooldowns.save(value, undefined);
    const { pool } = open();
    await pool.getAccessToken();
    expect(await pool.replaceRejected(A1, LIMITED)).toBe(B1);
    expect([await pool.getAccessToken(), await pool.getAccessToken()]).toEqual([B1, B1]);
    expect((await cooldowns.load())?.value).toBe(value);
    expect((await pool.why()).sharingProblem).toBe(
      "Cooldowns are not shared with other processes (the memory store): It holds something else, or was written by a newer version. It was left unchanged.",
    );
  });

  it("stay within bounds, and are forgotten an hour after their end", async () => {
    const { clock, cooldowns, open } = await startPools("a", "b");
    const of = (entry: string, until: number) => ({
      entry,
      reason: "rate_limited",
      digest: entry,
      until,
      length: MINUTE,
    });
    const old = [of("old", clock.now() - HOUR - 1), of("recent", clock.now() - HOUR + 1)];
    const others = Array.from({ length: 1_050 }, (_, index) => of(`other-${index}`, clock.now() + MINUTE));
    await cooldowns.save(JSON.stringify({ schema: 1, cooldowns: [...old, ...others.slice(0, 3)] }), undefined);
    const { pool } = open();
    await pool.getAccessToken();
    await pool.replaceRejected(A1, LIMITED);
    const entries = async () => (await parse(cooldowns)).cooldowns.map(({ entry }: { entry: string }) => entry);
    expect(await entries()).toEqual(["a", "other-0", "other-1", "other-2", "recent"]);
    await cooldowns.save(JSON.stringify({ schema: 1, cooldowns: others }), (await cooldowns.load())?.version);
    await failureOf(pool.replaceRejected(B1, LIMITED));
    expect(await entries()).toHaveLength(1_000);
    expect(await entries()).toEqual(expect.arrayContaining(["a", "b"]));
  });

  it("are read within bounds, too", async () => {
    const { clock, cooldowns, events, open } = await startPools("a");
    const of = (index: number) => ({
      entry: "a",
      reason: "rate_limited",
      digest: `${index}`,
      until: clock.now() + HOUR - index,
      length: HOUR,
    });
    const list = Array.from({ length: 50_000 }, (_, index) => of(index));
    await cooldowns.save(JSON.stringify({ schema: 1, cooldowns: list }), undefined);
    await open().pool.getAccessToken();
    expect(events.filter(({ type }) => type === "entry-set-aside")).toHaveLength(1_000);
  });

  it("are not saved if the list is full of those that end later", async () => {
    const { clock, cooldowns, open } = await startPools("a", "b");
    const others = Array.from({ length: 1_000 }, (_, index) => ({
      entry: `other-${index}`,
      reason: "rate_limited",
      digest: "other",
      until: clock.now() + HOUR,
      length: HOUR,
    }));
    await cooldowns.save(JSON.stringify({ schema: 1, cooldowns: others }), undefined);
    const save = vi.fn(cooldowns.save);
    const { pool } = open({ cooldowns: { ...cooldowns, save } });
    await pool.getAccessToken();
    await pool.replaceRejected(A1, { response: rejection(429) });
    expect(save).not.toHaveBeenCalled();
    expect((await pool.why()).unavailable).toMatchObject([{ entry: "a" }]);
    await pool.replaceRejected(B1, LIMITED).catch(() => {});
    expect(save).not.toHaveBeenCalled();
  });
});

describe("a store of cooldowns that fails", () => {
  const HANGING: Partial<TokenStore> = { load: () => new Promise(() => {}), save: () => new Promise(() => {}) };
  const BROKEN: Partial<TokenStore> = {
    load: () => Promise.reject(Object.assign(new Error("no route to canary-password"), { code: "EHOSTUNREACH" })),
    watch: () => {
      throw new Error("no watchers here");
    },
  };

  it("delays calls once if it hangs, for two seconds", async () => {
    const { clock, open } = await startPools("a", "b");
    const { pool } = open({ cooldowns: { ...memoryStore(), ...HANGING } });
    const first = pool.getAccessToken();
    await clock.advance(2_000);
    expect(await first).toBe(A1);
    expect(await pool.replaceRejected(A1, LIMITED)).toBe(B1);
    expect([await pool.getAccessToken(), await pool.getAccessToken()]).toEqual([B1, B1]);
    expect((await pool.why()).sharingProblem).toMatch(/^Cooldowns are not shared .*: No response within 2000 ms\.$/);
    const closing = pool.close();
    await clock.advance(4_000);
    await closing;
    expect(clock.keepingAlive).toBe(0);
  });

  it("leaves the pool with what this process knows", async () => {
    const { open } = await startPools("a", "b");
    const { pool } = open({ cooldowns: { ...memoryStore(), ...BROKEN } });
    await pool.getAccessToken();
    expect(await pool.replaceRejected(A1, LIMITED)).toBe(B1);
    expect((await pool.why()).sharingProblem).toBe(
      "Cooldowns are not shared with other processes (the memory store): it failed (Error, EHOSTUNREACH).",
    );
    expect([await pool.getAccessToken(), await pool.getAccessToken()]).toEqual([B1, B1]);
  });

  it("may also fail to describe itself", async () => {
    const { open } = await startPools("a", "b");
    const describe = () => {
      throw new Error("no description");
    };
    const { pool } = open({ cooldowns: { ...memoryStore(), ...BROKEN, describe } });
    expect(await pool.getAccessToken()).toBe(A1);
    expect((await pool.why()).sharingProblem).toContain("(a store whose describe() throws): it failed");
  });

  it("gets the cooldowns once it works again", async () => {
    const { cooldowns, clock, open } = await startPools("a", "b");
    const save = vi.fn(cooldowns.save).mockRejectedValueOnce(new Error("disk full"));
    const { pool } = open({ cooldowns: { ...cooldowns, save } });
    await pool.getAccessToken();
    await pool.replaceRejected(A1, LIMITED);
    expect(await cooldowns.load()).toBeUndefined();
    expect((await pool.why()).sharingProblem).toContain("it failed (Error)");
    await clock.advance(5_000);
    await pool.getAccessToken();
    await clock.advance(0);
    expect((await cooldowns.load())?.value).toContain('"entry":"a"');
    expect((await pool.why()).sharingProblem).toBeUndefined();
  });

  it("is not asked again because it notifies of a save that it rejects", async () => {
    const { open } = await startPools("a", "b");
    let notify = () => {};
    const save = vi.fn(async () => {
      if (save.mock.calls.length < 50) notify();
      throw new Error("disk full");
    });
    const watch = (listener: () => void) => {
      notify = listener;
      return () => {};
    };
    const { pool } = open({ cooldowns: { ...memoryStore(), save, watch } });
    await pool.getAccessToken();
    await pool.replaceRejected(A1, LIMITED);
    await pool.close();
    expect(save).toHaveBeenCalledTimes(1);
  });

  it("is given up if it never stops to report conflicts", async () => {
    const { open } = await startPools("a", "b");
    const save = vi.fn(() => Promise.reject(new StoreConflictError("here")));
    const { pool } = open({ cooldowns: { ...memoryStore(), save } });
    await pool.getAccessToken();
    expect(await pool.replaceRejected(A1, LIMITED)).toBe(B1);
    expect(save).toHaveBeenCalledTimes(21);
    expect((await pool.why()).sharingProblem).toContain("rejected 20 saves as conflicts");
  });

  it("keeps nothing alive while the pool is idle", async () => {
    const { clock, second } = await startTwo();
    await second.getAccessToken();
    expect(clock.keepingAlive).toBe(0);
  });
});
