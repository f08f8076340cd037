import { describe, expect, it } from "vitest";
import { canary } from "../../../../verification/end-to-end/support/canary.ts";
import { VirtualClock } from "../../../testing/src/virtual-clock.ts";
import { type Attempt, digestOf, type SessionRecord, serialiseRecord } from "../../src/record/record.ts";
import { RecordStore } from "../../src/record/record-store.ts";
import { Claims } from "../../src/refresh/claim.ts";
import { memoryStore } from "../../src/stores/memory-store.ts";
import type { RefreshFunction, TokenStore } from "../../src/types.ts";
import { attempt, disk } from "../support/interference.ts";
import { recordOf, SECOND } from "../support/machine.ts";

const DIGEST = digestOf(canary("refresh", 1));
const CLAIM = { do: "claim", digest: DIGEST, afterLoss: true, failures: 3 } as const;
const failed = attempt(1, { id: "before", status: "failed", failures: 3 });

interface Options {
  readonly holder?: TokenStore["holder"];
  readonly refresh?: RefreshFunction | undefined;
}

/** Claims on a store that holds `first`. */
async function start(first: SessionRecord | undefined = recordOf({ attempt: failed }), options: Options = {}) {
  const clock = new VirtualClock();
  const store = memoryStore();
  const records = new RecordStore(store, () => undefined);
  if (first) await store.save(serialiseRecord(first), undefined);
  const base = await records.load();
  const seen: [Attempt | undefined, string][] = [];
  const refresh = "refresh" in options ? options.refresh : async () => ({ access_token: "" });
  const observe = (record: SessionRecord | undefined, source: string) => void seen.push([record?.attempt, source]);
  const claims = new Claims({ records, clock, holder: options.holder, refresh }, { observe });
  const put = async (record: SessionRecord) =>
    void (await store.save(serialiseRecord(record), (await store.load())?.version));
  const stored = async () => (await records.load())?.record;
  /** Something happens when the next save has been done. */
  const afterSave = (happening: () => unknown) => {
    const { save } = store;
    store.save = async (value, expected) => {
      store.save = save;
      const version = await save(value, expected);
      await happening();
      return version;
    };
  };
  return { afterSave, base, claims, clock, put, records, refresh, seen, store, stored };
}

describe("a claim", () => {
  it("says who presents what, for longer than the exchange can last", async () => {
    const holder = { id: "ours", isGone: async () => false };
    const { base, claims, clock, records, refresh, seen } = await start(recordOf({ spent: ["x"] }), { holder });
    const claim = await claims.claim(CLAIM, base);
    expect(claim).toMatchObject({ tokens: base?.record.tokens, stored: { record: { spent: ["x"] } } });
    expect(claim?.refresh).toBe(refresh);
    expect(claim?.attempt).toEqual({
      id: expect.stringMatching(/^\w{10,}$/),
      digest: DIGEST,
      holder: "ours",
      claimedAt: clock.now(),
      lease: 40 * SECOND,
      status: "claimed",
      afterLoss: true,
      failures: 3,
    });
    const stored = await records.load();
    expect(stored?.record.attempt).toEqual(claim?.attempt);
    expect(stored?.version).toBe(claim?.stored.version);
    expect(seen).toEqual([[claim?.attempt, "store"]]);
  });

  it("holds ten seconds longer than the exchange's own deadline", async () => {
    const refresh = Object.assign(async () => ({ access_token: "" }), { timeout: 5 * SECOND });
    const { base, claims } = await start(recordOf(), { refresh });
    expect((await claims.claim(CLAIM, base))?.attempt).toMatchObject({ lease: 15 * SECOND, holder: undefined });
  });

  it("is none without a refresh function, without a session, and without tokens", async () => {
    const cases = [
      await start(recordOf(), { refresh: undefined }),
      await start(recordOf({ tokens: undefined })),
      await start(),
    ];
    await cases[2]?.store.remove();
    for (const { base, claims, seen, store } of cases) {
      const before = await store.load();
      expect(await claims.claim(CLAIM, before && base)).toBeUndefined();
      expect(await store.load()).toEqual(before);
      expect(seen).toEqual([]);
    }
  });

  it("is none where somebody else was first", async () => {
    const { base, claims, put, seen, stored } = await start();
    await put(recordOf({ attempt: attempt(1) }));
    expect(await claims.claim(CLAIM, base)).toBeUndefined();
    expect((await stored())?.attempt?.id).toBe("theirs");
    expect(seen).toEqual([]);
  });
});

describe("a claim that took long to store (P6)", () => {
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
  ])("%s", async (_name, happening, isUsed) => {
    const { afterSave, base, claims, clock, stored } = await start(recordOf({ attempt: failed, spent: ["x"] }));
    afterSave(() => happening(clock));
    const claim = await claims.claim(CLAIM, base);
    expect(claim !== undefined).toBe(isUsed);
    expect(await stored()).toMatchObject({ tokens: { refreshToken: canary("refresh", 1) }, spent: ["x"] });
    expect((await stored())?.attempt).toEqual(isUsed ? claim?.attempt : failed);
  });

  it("is given up also where that cannot be stored", async () => {
    const { afterSave, base, claims, clock, store } = await start();
    afterSave(async () => {
      await clock.leap(6 * SECOND);
      store.save = () => Promise.reject(disk);
    });
    expect(await claims.claim(CLAIM, base)).toBeUndefined();
  });

  it("is an error the second time in a row, and every second time", async () => {
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

  it("is no error where another one in between was quick", async () => {
    const session = await start();
    for (let time = 0; time < 3; time++) {
      expect(await slow(session, 6 * SECOND)).toBeUndefined();
      expect(await slow(session, 0)).toBeDefined();
    }
  });
});

describe("what is known of our own attempt", () => {
  it("is that nothing was sent, where storing its claim failed and worked all the same (I12)", async () => {
    const { base, claims, records, store } = await start();
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
    expect(claims.withLocalAttempt(stored)?.record).toEqual({ ...stored?.record, attempt: failed });
    expect(claims.withLocalAttempt(stored)?.version).toBe(stored?.version);
  });

  it("is what is stored, once the claim is", async () => {
    const { base, claims, records } = await start();
    await claims.claim(CLAIM, base);
    const stored = await records.load();
    expect(claims.withLocalAttempt(stored)).toBe(stored);
  });

  it("is nothing of another holder's, and nothing where there is none", async () => {
    const { base, claims, put, records } = await start();
    const claim = await claims.claim(CLAIM, base);
    if (claim) await claims.release({ ...claim.attempt, status: "failed" }, claim.stored);
    expect(claims.withLocalAttempt(undefined)).toBeUndefined();
    for (const theirs of [attempt(1), undefined]) {
      await put(recordOf({ attempt: theirs }));
      const stored = await records.load();
      expect(claims.withLocalAttempt(stored)).toBe(stored);
    }
  });
});

describe("the end of an attempt", () => {
  async function claimed() {
    const session = await start();
    const claim = await session.claims.claim(CLAIM, session.base);
    if (!claim) throw new Error("no claim");
    session.seen.length = 0;
    const ended: Attempt = { ...claim.attempt, status: "lost" };
    return { ...session, claim, ended, release: () => session.claims.release(ended, claim.stored) };
  }

  it("is stored", async () => {
    const { ended, release, seen, stored } = await claimed();
    await release();
    expect((await stored())?.attempt).toEqual(ended);
    expect(seen).toEqual([[ended, "store"]]);
  });

  it("is stored over whatever was saved meanwhile", async () => {
    const { claim, ended, put, release, seen, stored } = await claimed();
    await put({ ...claim.stored.record, spent: ["x"] });
    await release();
    expect((await stored())?.attempt).toEqual(ended);
    expect((await stored())?.spent).toEqual(["x"]);
    expect(seen).toEqual([[ended, "store"]]);
  });

  it.each([
    ["another one", attempt(1)],
    ["none", undefined],
  ])("is not stored where there is %s by now", async (_name, theirs) => {
    const { put, release, seen, stored } = await claimed();
    await put(recordOf({ attempt: theirs }));
    await release();
    expect((await stored())?.attempt?.id).toBe(theirs?.id);
    expect(seen).toEqual([]);
  });

  it("is not stored where everything was removed", async () => {
    const { release, seen, store } = await claimed();
    await store.remove();
    await release();
    expect(await store.load()).toBeUndefined();
    expect(seen).toEqual([]);
  });

  it("is known here, if the store does not take it", async () => {
    const { claims, ended, release, records, seen, store } = await claimed();
    store.save = () => Promise.reject(disk);
    await release();
    expect(seen).toEqual([[ended, "store"]]);
    expect(claims.withLocalAttempt(await records.load())?.record.attempt).toEqual(ended);
  });

  it("is nowhere where nothing is stored", async () => {
    const { claims, seen, store } = await start();
    await store.remove();
    await claims.release(attempt(1), undefined);
    expect(seen).toEqual([]);
  });
});
