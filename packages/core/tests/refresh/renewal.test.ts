import { describe, expect, it } from "vitest";
import { canary } from "../../../../verification/end-to-end/support/canary.ts";
import { settle, VirtualClock } from "../../../testing/src/virtual-clock.ts";
import { TokenEndpointError } from "../../src/errors.ts";
import { type Attempt, digestOf, type SessionRecord, serialiseRecord } from "../../src/record/record.ts";
import { RecordStore } from "../../src/record/record-store.ts";
import { RefreshProtocol } from "../../src/refresh/protocol.ts";
import type { RefreshHost, RenewalGoal } from "../../src/refresh/renewal.ts";
import { memoryStore } from "../../src/stores/memory-store.ts";
import { genericProvider } from "../../src/token-endpoint/providers.ts";
import type { ProviderProfile, SessionEvent } from "../../src/types.ts";
import { attempt, disk, gate } from "../support/interference.ts";
import { Issuer } from "../support/issuer.ts";
import { HOUR, NOW, recordOf, SECOND, tokens } from "../support/machine.ts";

type EndpointError = ConstructorParameters<typeof TokenEndpointError>[0];

const digest = (generation: number) => digestOf(canary("refresh", generation));
const recordWith = (generation: number, more: Partial<SessionRecord> = {}) =>
  recordOf({
    tokens: tokens({ accessToken: canary("access", generation), refreshToken: canary("refresh", generation) }),
    ...more,
  });
const GOAL: RenewalGoal = { replacing: canary("access", 1), reason: "call" };
const urgent = () => true;
const idle = () => false;

interface Options {
  readonly profile?: Partial<ProviderProfile>;
  readonly account?: string;
}

/** A protocol over a store that holds `first`, as it knows. */
async function start(first = recordOf(), { profile = {}, account }: Options = {}) {
  const clock = new VirtualClock(NOW);
  const store = memoryStore();
  const records = new RecordStore(store, () => undefined);
  await store.save(serialiseRecord(first), undefined);
  const issuer = new Issuer();
  const seen: [string | undefined, string][] = [];
  const told: SessionEvent[] = [];
  const known = { record: first as SessionRecord | undefined, isUsable: false, isDue: true };
  const host: RefreshHost = {
    get session() {
      return { record: known.record, account };
    },
    isUsable: ({ tokens: set }) => set !== undefined && known.isUsable,
    isDue: ({ tokens: set }) => set !== undefined && known.isDue,
    observe: (record, source) => seen.push([record?.tokens?.accessToken ?? record?.dead?.reason, source]),
    announce: (event) => told.push(event),
  };
  const protocol = new RefreshProtocol(
    { records, clock, holder: undefined, refresh: issuer.refresh, profile: { ...genericProvider, ...profile } },
    host,
  );
  const put = async (record: SessionRecord) =>
    void (await store.save(serialiseRecord(record), (await store.load())?.version));
  const stored = async () => (await records.load())?.record;
  const fails = (details: EndpointError) => issuer.next(() => new TokenEndpointError(details), { before: true });
  return { clock, fails, issuer, known, protocol, put, seen, store, stored, told };
}

/** When the store is looked at, in milliseconds from now. */
function lookTimes(store: ReturnType<typeof memoryStore>, clock: VirtualClock): number[] {
  const times: number[] = [];
  const { load } = store;
  const begin = clock.monotonic();
  store.load = () => {
    times.push(clock.monotonic() - begin);
    return load();
  };
  return times;
}

describe("a renewal that finds another holder's exchange", () => {
  const claimed = recordOf({ attempt: attempt(1) });

  it("looks again and again, and adopts what comes, whatever the clock says (P13)", async () => {
    const { clock, issuer, protocol, put, seen, store } = await start(claimed);
    const times = lookTimes(store, clock);
    const renewed = protocol.renew(GOAL, urgent);
    await clock.advance(100);
    expect(times).toEqual([0, 5, 15, 35, 60, 85]);
    expect(clock.keepingAlive).toBe(1);
    expect(new Set(seen.map(String))).toEqual(new Set([`${canary("access", 1)},store`]));
    await put(recordWith(2));
    await clock.advance(25);
    expect(await renewed).toBe(true);
    expect(seen.at(-1)).toEqual([canary("access", 2), "change"]);
    expect(issuer.presented).toEqual([]);
    expect(clock.keepingAlive).toBe(0);
  });

  it("that was first with its claim, waits for what it brings", async () => {
    const { clock, protocol, put, seen, store } = await start();
    const { save } = store;
    store.save = async (value, expected) => {
      store.save = save;
      await put(claimed);
      return save(value, expected);
    };
    const renewed = protocol.renew(GOAL, urgent);
    await clock.advance(50);
    await put(recordWith(2));
    await clock.advance(50);
    expect(await renewed).toBe(true);
    expect(seen.at(-1)).toEqual([canary("access", 2), "change"]);
  });

  it("looks at once where the store tells of a change", async () => {
    const { clock, protocol, put, store } = await start(claimed);
    protocol.wake();
    const renewed = protocol.renew(GOAL, urgent);
    await clock.advance(36);
    const times = lookTimes(store, clock);
    await put(recordWith(2));
    protocol.wake();
    expect(await renewed).toBe(true);
    expect(times[0]).toBe(0);
    expect(clock.keepingAlive).toBe(0);
  });

  it("leaves it alone where nobody waits", async () => {
    const { clock, protocol, seen } = await start(claimed);
    expect(await protocol.renew(GOAL, idle)).toBe(false);
    expect(seen).toEqual([[canary("access", 1), "store"]]);
    expect(clock.keepingAlive).toBe(0);
  });

  it("counts the lease from one idle look to the next", async () => {
    const { clock, issuer, protocol } = await start(recordOf({ attempt: attempt(1, { lease: SECOND }) }));
    for (let look = 0; look < 10; look++) {
      expect(await protocol.renew(GOAL, idle)).toBe(false);
      await clock.advance(100);
    }
    expect(await protocol.renew(GOAL, idle)).toBe(true);
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
  });

  it("records it as lost where nobody will answer for it any more", async () => {
    const theirs = attempt(1, { lease: SECOND, failures: 2 });
    const { clock, protocol, stored, told } = await start(recordOf({ attempt: theirs }), {
      profile: { afterLoss: "sign-in" },
    });
    const renewed = protocol.renew(GOAL, urgent);
    await clock.advance(2 * SECOND);
    expect(await renewed).toBe(true);
    expect((await stored())?.dead).toEqual({ reason: "response_lost", digest: digest(1) });
    expect(told).toEqual([]);
  });
});

describe("a renewal that finds nothing to exchange", () => {
  it("takes what is stored as it is", async () => {
    const { issuer, known, protocol, seen } = await start(recordWith(2));
    known.isUsable = true;
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(seen).toEqual([[canary("access", 2), "store"]]);
    expect(issuer.presented).toEqual([]);
  });

  it.each<[string, SessionRecord, object]>([
    ["nothing is due", recordOf(), { isDue: false }],
    ["the session is another account's", recordOf({ account: "bob" }), {}],
    ["the session is over", recordOf({ tokens: undefined, dead: { reason: "revoked" } }), {}],
  ])("ends there: %s", async (_name, first, more) => {
    const { issuer, known, protocol } = await start(first, { account: "ada" });
    Object.assign(known, more);
    expect(await protocol.renew({ ...GOAL, reason: "clock" }, urgent)).toBe(true);
    expect(issuer.presented).toEqual([]);
  });

  it("ends the session, once, where its refresh token is spent (P1)", async () => {
    const { issuer, protocol, seen } = await start(recordOf({ spent: [digest(1)] }));
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(seen).toEqual([["refresh_token_reused", "store"]]);
    expect(issuer.presented).toEqual([]);
  });

  it("ends there where nothing is stored", async () => {
    const { protocol, seen, store } = await start();
    await store.remove();
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(seen).toEqual([[undefined, "store"]]);
  });
});

describe("an exchange", () => {
  it("is told as it begins and ends, and replaces what is stored", async () => {
    const { clock, issuer, protocol, seen, stored, told } = await start(recordOf({ account: "ada", spent: ["x"] }));
    await clock.leap(HOUR);
    clock.jump(-HOUR);
    const { promise, open } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const renewed = protocol.renew(GOAL, urgent);
    await clock.advance(700);
    const attemptId = (await stored())?.attempt?.id;
    open();
    expect(await renewed).toBe(true);
    const expiresAt = NOW + HOUR;
    expect(told).toEqual([
      { type: "exchange-started", attemptId, afterLoss: false },
      { type: "refreshed", attemptId, expiresAt, duration: 700 },
    ]);
    expect(await stored()).toMatchObject({
      account: "ada",
      tokens: { accessToken: canary("access", 2), refreshToken: canary("refresh", 2), expiresAt },
      obtainedAt: NOW,
      renewed: true,
      spent: ["x", digest(1)],
    });
    expect((await stored())?.attempt).toBeUndefined();
    expect(seen.at(-1)).toEqual([canary("access", 2), "exchange"]);
  });

  it.each<[string, (protocol: RefreshProtocol) => unknown, number]>([
    ["is written at the end", (protocol) => protocol.close(), 2],
    ["is not written where the session is another one", (protocol) => protocol.discardPending(), 1],
  ])("whose tokens could not be stored %s", async (_name, end, generation) => {
    const { clock, issuer, protocol, store, stored } = await start();
    const { save } = store;
    issuer.next((rotated) => {
      store.save = () => Promise.reject(disk);
      return rotated;
    });
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    store.save = save;
    await end(protocol);
    await clock.advance(5 * SECOND);
    expect((await stored())?.tokens?.accessToken).toBe(canary("access", generation));
  });

  it("is not said to have refreshed what was dropped", async () => {
    const { issuer, protocol, put, told } = await start();
    issuer.next((rotated) => put(recordWith(7)).then(() => rotated));
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(told.map((event) => event.type)).toEqual(["exchange-started", "rotation-dropped"]);
  });

  it("after a lost answer is told as such, and ends the session as such", async () => {
    const { fails, protocol, stored, told } = await start(recordOf({ attempt: attempt(1, { status: "lost" }) }));
    fails({ error: "invalid_grant", status: 400, sent: true });
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(told).toEqual([{ type: "exchange-started", attemptId: expect.any(String), afterLoss: true }]);
    expect((await stored())?.dead).toEqual({ reason: "response_lost", digest: digest(1) });
  });
});

describe("a terminal answer", () => {
  const dies = { error: "invalid_grant", status: 400, sent: true };

  it("ends what is stored, over whatever was saved meanwhile", async () => {
    const { issuer, protocol, put, seen, stored } = await start();
    issuer.next(
      async () => {
        await put({ ...recordOf({ spent: ["x"] }) });
        throw new TokenEndpointError(dies);
      },
      { before: true },
    );
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(await stored()).toMatchObject({ dead: { reason: "session_expired" }, spent: ["x", digest(1)] });
    expect(seen.at(-1)).toEqual(["session_expired", "store"]);
  });

  it("ends it again where a save comes in between", async () => {
    const { fails, protocol, put, store, stored } = await start();
    fails(dies);
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => {
      if (++saves === 2) await put(recordOf({ spent: ["x"] }));
      return save(value, expected);
    };
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(await stored()).toMatchObject({ dead: { reason: "session_expired" }, spent: ["x", digest(1)] });
  });

  it.each<[string, (session: Awaited<ReturnType<typeof start>>) => Promise<void>, unknown]>([
    ["another token is stored", ({ put }) => put(recordWith(7)), canary("access", 7)],
    ["nothing is stored", ({ store }) => store.remove(), undefined],
  ])("ends nothing where %s by now (P3)", async (_name, happening, expected) => {
    const session = await start();
    const { issuer, protocol, seen, stored } = session;
    issuer.next(() => happening(session).then(() => Promise.reject(new TokenEndpointError(dies))), { before: true });
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect((await stored())?.tokens?.accessToken).toBe(expected);
    expect(seen.at(-1)).toEqual([expected, "store"]);
  });

  it.each<[string, SessionRecord | undefined, readonly unknown[]]>([
    ["is known here", recordOf(), ["session_expired", "store"]],
    ["says nothing of a newer token that is known here", recordWith(7), [canary("access", 1), "store"]],
    ["says nothing where nothing is known here", undefined, [canary("access", 1), "store"]],
  ])("that cannot be stored %s", async (_name, record, expected) => {
    const { issuer, known, protocol, seen, store } = await start();
    issuer.next(
      async () => {
        store.load = () => Promise.reject(disk);
        known.record = record;
        throw new TokenEndpointError(dies);
      },
      { before: true },
    );
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(seen.at(-1)).toEqual(expected);
  });
});

describe("an exchange that brings nothing", () => {
  it.each<[string, { readonly said: EndpointError; readonly status: string; readonly code: string }]>([
    ["not sent", { said: { sent: false }, status: "failed", code: "transient" }],
    ["answered", { said: { status: 503, sent: true, error: "busy" }, status: "failed", code: "busy" }],
    ["lost", { said: { sent: true }, status: "lost", code: "lost" }],
    ["a wrong client", { said: { error: "invalid_client", sent: true }, status: "failed", code: "invalid_client" }],
  ])("%s: is recorded, told, and not tried again for a while", async (_name, { said, status, code }) => {
    const { clock, fails, issuer, protocol, seen, stored, told } = await start();
    fails({ ...said, retryAfter: 7 * SECOND });
    const retryAt = NOW + 7 * SECOND;
    const error: unknown = await protocol.renew(GOAL, urgent).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(code === "invalid_client" ? { code: "CONFIGURATION" } : { retryAt });
    expect(error).toHaveProperty("cause.code", "TOKEN_ENDPOINT");
    const attempted = { status, digest: digest(1), failures: 1, endedAt: NOW, retryIn: 7 * SECOND };
    expect((await stored())?.attempt).toMatchObject(attempted);
    expect(told.at(-1)).toEqual({ type: "refresh-failed", code, retryAt });
    expect(seen.at(-1)).toEqual([canary("access", 1), "store"]);
    await expect(protocol.renew(GOAL, urgent)).rejects.toBeInstanceOf(Error);
    expect(issuer.presented).toHaveLength(1);
    await clock.advance(7 * SECOND);
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
  });

  it("says what to do about a wrong client", async () => {
    const { fails, protocol } = await start();
    fails({ error: "invalid_client", status: 401, sent: true });
    const error = await protocol.renew(GOAL, urgent).then(String, (thrown: unknown) => (thrown as Error).message);
    expect(error).toMatch(
      /invalid_client.*\. Check the client ID, its authentication and the requested scope\. The session is untouched\.$/,
    );
  });

  it("is not explained where it was another holder's", async () => {
    const theirs = attempt(1, { status: "failed", endedAt: NOW, retryIn: SECOND });
    const { fails, protocol, put } = await start();
    fails({ error: "invalid_client", status: 401, sent: true });
    await protocol.renew(GOAL, urgent).catch(() => {});
    await put(recordOf({ attempt: theirs }));
    await expect(protocol.renew(GOAL, urgent)).rejects.not.toHaveProperty("cause.code");
  });

  it("waits longer each time", async () => {
    const { fails, protocol, stored } = await start(
      recordOf({ attempt: attempt(1, { status: "failed", failures: 5 }) }),
    );
    fails({ status: 503, sent: true });
    await expect(protocol.renew(GOAL, urgent)).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    const { failures, retryIn = 0 } = (await stored())?.attempt ?? {};
    expect(failures).toBe(6);
    expect(retryIn).toBeGreaterThanOrEqual(24 * SECOND);
  });

  it.each<[string, { readonly graceSeconds: number; readonly first?: SessionRecord; readonly times: number }]>([
    ["at once within the grace", { graceSeconds: 30, times: 2 }],
    ["no more than once", { graceSeconds: 30, first: recordOf({ attempt: attempt(1, { status: "lost" }) }), times: 1 }],
    ["not without a grace", { graceSeconds: 0, times: 1 }],
  ])("and is lost is presented again %s", async (_name, { graceSeconds, first, times }) => {
    const { fails, issuer, protocol } = await start(first, { profile: { graceSeconds } });
    for (let time = 0; time < 3; time++) fails({ sent: true });
    await expect(protocol.renew(GOAL, urgent)).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(issuer.presented).toHaveLength(times);
  });

  it("is answered at once within the grace only where the answer was lost", async () => {
    const { fails, issuer, protocol } = await start(recordOf(), { profile: { graceSeconds: 30 } });
    fails({ status: 503, sent: true });
    await expect(protocol.renew(GOAL, urgent)).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(issuer.presented).toHaveLength(1);
  });

  it.each<[string, boolean]>([
    ["a rotation is stored", true],
    ["anything else changes nothing", false],
  ])("by its deadline may end later: %s", async (_name, isRotation) => {
    const { clock, issuer, protocol, stored } = await start();
    const { promise, open } = gate<void>();
    issuer.next((rotated) => promise.then(() => (isRotation ? rotated : Promise.reject(new Error("reset")))));
    const renewed = protocol.renew(GOAL, urgent).catch((error: unknown) => error);
    await clock.advance(30 * SECOND);
    expect(await renewed).toMatchObject({ code: "REFRESH_FAILED" });
    open();
    await settle();
    expect((await stored())?.tokens?.accessToken).toBe(canary("access", isRotation ? 2 : 1));
    if (isRotation) expect(await stored()).toMatchObject({ obtainedAt: NOW, renewed: true, spent: [digest(1)] });
  });
});

describe("a spent refresh token over ours (I9)", () => {
  const ours = recordWith(2, { obtainedAt: NOW + 1, spent: [digest(1), "x"] });

  it("gives way, and what either knows to be spent stays so", async () => {
    const { known, protocol, put, stored, told } = await start(ours);
    known.isUsable = true;
    known.isDue = false;
    await put(recordWith(1, { spent: ["y", "x"] }));
    expect(await protocol.renew({ ...GOAL, reason: "clock" }, urgent)).toBe(true);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
    expect((await stored())?.spent).toEqual(["y", "x", digest(1)]);
    expect(told).toEqual([{ type: "session-restored", location: memoryStore().describe() }]);
  });

  it.each<[string, { readonly there: Attempt; readonly here?: Attempt; readonly left?: string }]>([
    ["the stored claim of ours", { there: attempt(2, { id: "stored" }), left: "stored" }],
    ["the claim that we know", { there: attempt(1), here: attempt(2, { id: "known" }), left: "known" }],
    ["no claim on the spent one", { there: attempt(1), here: attempt(1) }],
  ])("gives way, and leaves %s", async (_name, { there, here, left }) => {
    const { known, protocol, put, stored } = await start({ ...ours, attempt: here });
    Object.assign(known, { isUsable: true, isDue: false });
    await put(recordWith(1, { attempt: there }));
    await protocol.renew({ ...GOAL, reason: "clock" }, idle);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
    expect((await stored())?.attempt?.id).toBe(left);
  });

  it("is looked at again where somebody saved in between, and told once", async () => {
    const { known, protocol, put, store, told } = await start(ours);
    Object.assign(known, { isUsable: true, isDue: false });
    await put(recordWith(1));
    const { save } = store;
    store.save = async (value, expected) => {
      store.save = save;
      await put(recordWith(1, { spent: ["z"] }));
      return save(value, expected);
    };
    expect(await protocol.renew({ ...GOAL, reason: "clock" }, urgent)).toBe(true);
    expect(told).toHaveLength(1);
  });
});
