import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { type Attempt, digestOf, parseRecord, type SessionRecord, serializeRecord } from "../../src/record/record.ts";
import { RecordStore } from "../../src/record/record-store.ts";
import { Claims } from "../../src/refresh/claim.ts";
import { PendingChanges } from "../../src/refresh/pending-changes.ts";
import { memoryStore } from "../../src/stores/memory-store.ts";
import type { RefreshFunction, TokenStore } from "../../src/types.ts";
import { attempt, disk } from "../support/interference.ts";
import { recordOf, SECOND } from "../support/machine.ts";

const DIGEST = digestOf(canary("refresh", 1));
const CLAIM = { do: "claim", digest: DIGEST, afterLoss: true, failures: 3 } as const;
const FAILURE = new Error("the reason");
const failed = attempt(1, { id: "before", status: "failed", failures: 3 });

interface Options {
  readonly holder?: TokenStore["holder"];
  readonly refresh?: RefreshFunction | undefined;
}

/** Starts `Claims` over a store that holds `first`. */
async function start(first: SessionRecord | undefined = recordOf({ attempt: failed }), options: Options = {}) {
  const clock = new VirtualClock();
  const store = memoryStore();
  const records = new RecordStore(store, { accountOf: () => undefined, clock });
  if (first) await store.save(serializeRecord(first), undefined);
  const base = await records.load();
  const observed: [Attempt | undefined, string][] = [];
  const refresh = "refresh" in options ? options.refresh : async () => ({ access_token: "" });
  const observe = (record: SessionRecord | undefined, source: string) => void observed.push([record?.attempt, source]);
  const session: { known: SessionRecord | undefined } = { known: undefined };
  const host = {
    get session() {
      return { record: session.known };
    },
    observe,
    isUsable: () => false,
    announce: () => {},
  };
  const deps = { records, clock, holder: options.holder, refresh };
  const pending = new PendingChanges(deps, host);
  const claims = new Claims(deps, host, pending.endings);
  const put = async (record: SessionRecord) =>
    void (await store.save(serializeRecord(record), (await store.load())?.version));
  const stored = async () => (await records.load())?.record;
  /** Calls `intervene` once the next save has succeeded. */
  const afterSave = (intervene: () => unknown) => {
    const { save } = store;
    store.save = async (value, expected) => {
      store.save = save;
      const version = await save(value, expected);
      await intervene();
      return version;
    };
  };
  return Object.assign(session, {
    afterSave,
    base,
    claims,
    clock,
    pending,
    put,
    records,
    refresh,
    observed,
    store,
    stored,
  });
}

describe("claim()", () => {
  it("stores who presents which token, with a lease that outlasts the exchange", async () => {
    const holder = { id: "ours", statusOf: async () => "unknown" as const };
    const { base, claims, clock, records, refresh, observed } = await start(recordOf({ spent: ["x"] }), { holder });
    const claim = await claims.claim(CLAIM, base);
    expect(claim).toMatchObject({ tokens: base?.record.tokens, stored: { record: { spent: ["x"] } } });
    expect(claim?.refresh).toBe(refresh);
    expect(claim?.attempt).toEqual({
      id: expect.stringMatching(/^[\w.]{20,}$/),
      digest: DIGEST,
      holder: "ours",
      claimedAt: clock.now(),
      lease: 70 * SECOND,
      status: "claimed",
      afterLoss: true,
      failures: 3,
    });
    const stored = await records.load();
    expect(stored?.record.attempt).toEqual(claim?.attempt);
    expect(stored?.version).toBe(claim?.stored.version);
    expect(observed).toEqual([[claim?.attempt, "store"]]);
  });

  it("takes a lease of ten seconds more than twice the deadline of the refresh function", async () => {
    const refresh = Object.assign(async () => ({ access_token: "" }), { timeout: 5 * SECOND });
    const { base, claims } = await start(recordOf(), { refresh });
    expect((await claims.claim(CLAIM, base))?.attempt).toMatchObject({ lease: 20 * SECOND, holder: undefined });
  });

  it("returns undefined without a refresh function, a session or tokens", async () => {
    const cases = [
      await start(recordOf(), { refresh: undefined }),
      await start(recordOf({ tokens: undefined })),
      await start(),
    ];
    await cases[2]?.store.remove();
    for (const { base, claims, observed, store } of cases) {
      const before = await store.load();
      expect(await claims.claim(CLAIM, before && base)).toBeUndefined();
      expect(await store.load()).toEqual(before);
      expect(observed).toEqual([]);
    }
  });

  it("returns undefined if another process was first", async () => {
    const { base, claims, put, observed, stored } = await start();
    await put(recordOf({ attempt: attempt(1) }));
    expect(await claims.claim(CLAIM, base)).toBeUndefined();
    expect((await stored())?.attempt?.id).toBe("theirs");
    expect(observed).toEqual([]);
  });
});

describe("a claim that is slow to store (P6)", () => {
  const slow = async (
    { afterSave, claims, clock, records }: Awaited<ReturnType<typeof start>>,
    milliseconds: number,
  ) => {
    afterSave(() => clock.leap(milliseconds));
    return claims.claim(CLAIM, await records.load());
  };

  it.each<[string, (clock: VirtualClock) => unknown, boolean]>([
    ["4,999 ms", (clock) => clock.leap(5 * SECOND - 1), true],
    ["5 s", (clock) => clock.leap(5 * SECOND), false],
    ["5 s by the wall clock alone", (clock) => clock.jump(5 * SECOND), false],
    ["-5 s by the wall clock", (clock) => clock.jump(-5 * SECOND), false],
    [
      "5 s while the wall clock was set back",
      (clock) => {
        clock.jump(-5 * SECOND);
        return clock.leap(5 * SECOND);
      },
      false,
    ],
  ])("is used only within 5 s by both clocks: %s", async (_name, intervene, isUsed) => {
    const { afterSave, base, claims, clock, stored } = await start(recordOf({ attempt: failed, spent: ["x"] }));
    afterSave(() => intervene(clock));
    const claim = await claims.claim(CLAIM, base);
    expect(claim !== undefined).toBe(isUsed);
    expect(await stored()).toMatchObject({ tokens: { refreshToken: canary("refresh", 1) }, spent: ["x"] });
    expect((await stored())?.attempt).toEqual(isUsed ? claim?.attempt : failed);
  });

  it("is given up even if that cannot be stored", async () => {
    const { afterSave, base, claims, clock, store } = await start();
    afterSave(async () => {
      await clock.leap(6 * SECOND);
      store.save = () => Promise.reject(disk);
    });
    expect(await claims.claim(CLAIM, base)).toBeUndefined();
  });

  it("is given up later if that cannot be stored at first", async () => {
    const { afterSave, base, claims, clock, store, stored } = await start();
    const { save } = store;
    afterSave(async () => {
      await clock.leap(6 * SECOND);
      store.save = () => Promise.reject(disk);
    });
    await claims.claim(CLAIM, base);
    expect((await stored())?.attempt?.status).toBe("claimed");
    store.save = save;
    await clock.advance(SECOND);
    expect((await stored())?.attempt).toEqual(failed);
  });

  it("is an error the second time in a row, and every second time after that", async () => {
    const session = await start();
    for (let time = 0; time < 2; time++) {
      expect(await slow(session, 6 * SECOND)).toBeUndefined();
      await expect(slow(session, 6 * SECOND)).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
        location: session.records.location,
        message: `${session.records.location} is too slow: saving a claim took more than five seconds, twice in a row. Nothing was sent. Find out what slows it down, and try again.`,
      });
    }
  });

  it("is not an error if a quick one came in between", async () => {
    const session = await start();
    for (let time = 0; time < 3; time++) {
      expect(await slow(session, 6 * SECOND)).toBeUndefined();
      expect(await slow(session, 0)).toBeDefined();
    }
  });
});

describe("the pending changes", () => {
  it("treats a claim as unsent if its save throws but succeeded (I12)", async () => {
    const { base, claims, records, store, pending } = await start();
    const { load, save } = store;
    store.save = async (value, expected) => {
      await save(value, expected);
      store.load = () => Promise.reject(disk);
      throw disk;
    };
    await expect(claims.claim(CLAIM, base)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    store.load = load;
    const stored = await records.load();
    expect(stored?.record.attempt?.status).toBe("claimed");
    expect((await pending.load())?.record).toEqual({ ...stored?.record, attempt: failed });
    expect((await pending.load())?.version).toBe(stored?.version);
  });

  it.each([{ holder: "theirs" }, { claimedAt: 1 }])(
    "ignores the claim of a process that drew the same ID: %o",
    async (more) => {
      const { base, claims, clock, put, records, pending } = await start();
      clock.randomId = () => "the same";
      await put(recordOf({ attempt: attempt(1, { id: "the same", claimedAt: clock.now(), ...more }) }));
      expect(await claims.claim(CLAIM, base)).toBeUndefined();
      const stored = await records.load();
      expect(await pending.load()).toEqual(stored);
    },
  );

  it("withdraws a claim later if its save throws but succeeded", async () => {
    const { base, claims, clock, store, stored } = await start();
    const { load, save } = store;
    store.save = async (value, expected) => {
      await save(value, expected);
      store.load = () => Promise.reject(disk);
      throw disk;
    };
    await expect(claims.claim(CLAIM, base)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    Object.assign(store, { load, save });
    await clock.advance(SECOND);
    expect((await stored())?.attempt).toEqual(failed);
    expect(clock.keepingAlive).toBe(0);
  });

  it("treats every claim as unsent if the store fails again and again, up to the last 16", async () => {
    const { base, claims, put, store, pending } = await start();
    const { save } = store;
    const claimed: (Attempt | undefined)[] = [];
    store.save = async (value) => {
      claimed.push(parseRecord(value, "the store").attempt);
      throw disk;
    };
    for (let time = 0; time < 17; time++) await claims.claim(CLAIM, base).catch(() => {});
    store.save = save;
    const seen: unknown[] = [];
    for (const attempt of claimed) {
      await put(recordOf({ attempt }));
      seen.push((await pending.load())?.record.attempt?.id);
    }
    expect(seen).toEqual([claimed[0]?.id, ...Array(16).fill("before")]);
  });

  it("returns the stored record once the claim is stored", async () => {
    const { base, claims, records, pending } = await start();
    await claims.claim(CLAIM, base);
    const stored = await records.load();
    expect(await pending.load()).toEqual(stored);
  });

  it("ignores attempts of other processes, and records without an attempt", async () => {
    const { base, claims, put, records, pending } = await start();
    const claim = await claims.claim(CLAIM, base);
    if (claim) await claims.release({ ...claim.attempt, status: "failed" }, FAILURE, claim.stored);
    for (const theirs of [attempt(1), undefined]) {
      await put(recordOf({ attempt: theirs }));
      const stored = await records.load();
      expect(await pending.load()).toEqual(stored);
    }
  });
});

async function claimed() {
  const session = await start();
  const claim = await session.claims.claim(CLAIM, session.base);
  if (!claim) throw new Error("no claim");
  session.observed.length = 0;
  const ended: Attempt = { ...claim.attempt, status: "lost" };
  return Object.assign(session, { claim, ended, release: () => session.claims.release(ended, FAILURE, claim.stored) });
}

describe("release()", () => {
  it("stores the end of the attempt", async () => {
    const { ended, release, observed, stored } = await claimed();
    await release();
    expect((await stored())?.attempt).toEqual(ended);
    expect(observed).toEqual([[ended, "store"]]);
  });

  it("stores the end of the attempt in a record that was saved concurrently", async () => {
    const { claim, ended, put, release, observed, stored } = await claimed();
    await put({ ...claim.stored.record, spent: ["x"] });
    await release();
    expect((await stored())?.attempt).toEqual(ended);
    expect((await stored())?.spent).toEqual(["x"]);
    expect(observed).toEqual([[ended, "store"]]);
  });

  it.each([
    ["another attempt", attempt(1)],
    ["no attempt", undefined],
    ["another process's claim with the same ID", "their holder"],
    ["a later claim with the same ID", 1],
  ])("stores nothing if the record holds %s by then", async (_name, other) => {
    const { claim, put, release, observed, stored } = await claimed();
    const { attempt: ours } = claim;
    const sameId = typeof other === "string" ? { ...ours, holder: other } : { ...ours, claimedAt: ours.claimedAt + 1 };
    const theirs = typeof other === "object" || other === undefined ? other : sameId;
    await put(recordOf({ attempt: theirs }));
    await release();
    expect((await stored())?.attempt).toEqual(theirs);
    expect(observed).toEqual([]);
  });

  it("stores nothing if the record was removed", async () => {
    const { release, observed, store } = await claimed();
    await store.remove();
    await release();
    expect(await store.load()).toBeUndefined();
    expect(observed).toEqual([]);
  });

  it("remembers the end of the attempt if the store refuses it", async () => {
    const session = await claimed();
    const { claim, ended, release, observed, store, pending } = session;
    session.known = claim.stored.record;
    store.save = () => Promise.reject(disk);
    await release();
    expect(observed).toEqual([[ended, "store"]]);
    expect((await pending.load())?.record.attempt).toEqual(ended);
  });

  it("is stored later if the store refuses it at first (I23)", async () => {
    const { clock, ended, release, store, stored } = await claimed();
    const { save } = store;
    store.save = () => Promise.reject(disk);
    await release();
    await clock.advance(30 * SECOND);
    expect((await stored())?.attempt?.status).toBe("claimed");
    expect(clock.keepingAlive).toBe(0);
    store.save = save;
    await clock.advance(SECOND);
    expect((await stored())?.attempt).toEqual(ended);
  });

  it("is not stored later if the record holds another attempt by then, or after ten minutes", async () => {
    for (const [wait, status] of [
      [SECOND, "failed"],
      [610 * SECOND, "claimed"],
    ] as const) {
      const { claim, clock, put, release, store, stored } = await claimed();
      const { save } = store;
      store.save = () => Promise.reject(disk);
      await release();
      await clock.advance(wait - SECOND);
      store.save = save;
      if (status === "failed") await put({ ...claim.stored.record, attempt: failed });
      await clock.advance(10 * SECOND);
      expect((await stored())?.attempt?.status).toBe(status);
    }
  });

  it("stores nothing if nothing was stored", async () => {
    const { claims, observed, store } = await start();
    await store.remove();
    await claims.release(attempt(1), FAILURE, undefined);
    expect(observed).toEqual([]);
  });
});

describe("endSession()", () => {
  it("stores the verdict later if the store refuses it at first, and only over its own token (I23)", async () => {
    for (const generation of [1, 2]) {
      const session = await claimed();
      const { claim, claims, clock, put, store, stored } = session;
      session.known = claim.stored.record;
      const { save } = store;
      store.save = () => Promise.reject(disk);
      await claims.endSession({ digest: DIGEST }, { reason: "session_expired" });
      expect((await stored())?.dead).toBeUndefined();
      store.save = save;
      const refreshToken = canary("refresh", generation);
      await put({ ...claim.stored.record, tokens: { ...claim.tokens, refreshToken } });
      await clock.advance(SECOND);
      expect((await stored())?.dead?.reason).toBe(generation === 1 ? "session_expired" : undefined);
    }
  });
});

describe("markLost()", () => {
  it("is not repeated, because the attempt is another process's to end", async () => {
    const { base, claims, clock, put, store, stored } = await start(recordOf({ attempt: attempt(1) }));
    const { save } = store;
    store.save = () => Promise.reject(disk);
    await claims.markLost(attempt(1), base);
    store.save = save;
    await put(recordOf({ attempt: attempt(1, { status: "failed" }) }));
    await clock.advance(10 * SECOND);
    expect((await stored())?.attempt?.status).toBe("failed");
  });
});
