import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { ConfigurationError, RefreshFailedError, StoreError } from "../../src/errors.ts";
import {
  type Context,
  clockCooldown,
  initialSession,
  rejectionCooldown,
  type Session,
  stateOf,
} from "../../src/manager/session.ts";
import {
  type Effect,
  type Event,
  isOutdatedRecord,
  type Progress,
  transition,
} from "../../src/manager/state-machine.ts";
import { digestOf, type SessionRecord } from "../../src/record/record.ts";
import { CHECK_INTERVAL, type RecordSource } from "../../src/refresh/renewal.ts";
import { attempt } from "../support/interference.ts";
import { conditions, HOUR, loaded, MINUTE, NOW, recordOf, SECOND, tokens } from "../support/machine.ts";

const ACCESS = canary("access", 1);
const END = NOW + HOUR;
const IN_WINDOW = END - MINUTE;
const failure = new RefreshFailedError(END);
const details = { location: "The store", problem: "is out of reach", hint: "Try again." };
const unavailable = new StoreError("STORE_UNAVAILABLE", details);
const tombstone = recordOf({ tokens: undefined, dead: { reason: "signed_out" } });
const endless = recordOf({ tokens: tokens({ expiresAt: undefined }) });
const claimed = recordOf({ attempt: attempt(1) });

const LOAD = [{ do: "load" }];
const GIVE = [{ do: "resolve" }];
const RENEW_BEHIND = [{ do: "renew", reason: "clock", wait: false }, ...GIVE];
const renewFirst = (reason: string) => [{ do: "renew", reason, wait: true }];
const refuse = (error: object) => [{ do: "reject", error: expect.objectContaining(error) }];
const signIn = (reason: string) =>
  refuse({ code: "SIGN_IN_REQUIRED", reason, message: expect.stringContaining("(here)") });
const justObtained = (retryAt: number) => refuse({ code: "REFRESH_FAILED", reason: "just_obtained", retryAt });

/** A step from a session whose state was already announced. */
const step = (session: Session, event: Event, more: Partial<Context> = {}) => {
  const by = conditions(more);
  return transition({ ...session, announced: session.announced ?? stateOf(session, by) }, event, by);
};
const asked = (progress: Progress = {}): Event => ({ type: "token-requested", refresh: false, progress });
const forced = (progress: Progress = {}): Event => ({ type: "token-requested", refresh: true, progress });
const rejected = (progress: Progress = {}, accessToken = ACCESS): Event => ({
  type: "token-rejected",
  accessToken,
  progress,
});
const seen = (record: SessionRecord | undefined, source: RecordSource): Event => ({
  type: "record-observed",
  record,
  source,
});

type Case = readonly [Session, Event, Partial<Context>?];
const effectsOf = ([session, event, more]: Case): readonly Effect[] => step(session, event, more).effects;

describe("a caller that asks for a token", () => {
  const valid = loaded(recordOf());
  const failing = { ...valid, storeFailures: 1 };
  const due = { now: IN_WINDOW };
  const over = { now: END };

  it.each<[string, Case, readonly object[]]>([
    ["loads before the first load", [initialSession, asked()], LOAD],
    ["loads again if a load found nothing", [initialSession, asked({ loaded: true })], LOAD],
    ["is rejected if the load failed", [initialSession, asked({ failure })], refuse(failure)],
    ["loads if the session is known as dead", [loaded(tombstone), asked()], LOAD],
    ["is rejected if a load found it dead", [loaded(tombstone), asked({ loaded: true })], signIn("signed_out")],
    ["is rejected if there is no session", [loaded(undefined), asked({ loaded: true })], signIn("no_session")],
    ["gets a valid one", [valid, asked()], GIVE],
    ["gets a valid one, whatever failed", [valid, asked({ failure })], GIVE],
    ["gets one in the window, and renews it in the background", [valid, asked(), due], RENEW_BEHIND],
    ["does not renew twice", [valid, asked({ renewals: 1 }), due], GIVE],
    ["does not renew again after a failure", [valid, asked({ failure }), due], GIVE],
    [
      "waits for the renewal if background is false",
      [valid, asked(), { ...due, background: false }],
      renewFirst("clock"),
    ],
    ["waits for a renewal if the expiry is unknown", [loaded(endless), asked()], renewFirst("clock")],
    [
      "renews a token of unknown expiry in the background if it was renewed before",
      [loaded({ ...endless, attempt: attempt(1), renewed: true }), asked()],
      RENEW_BEHIND,
    ],
    ["does not join a running renewal", [{ ...valid, isRenewing: true }, asked(), due], GIVE],
    ["does not check more often than allowed", [{ ...valid, nextCheckAt: HOUR + 1 }, asked(), due], GIVE],
    ["checks as soon as allowed", [{ ...valid, nextCheckAt: HOUR }, asked(), due], RENEW_BEHIND],
    ["leaves a store that has just failed alone", [{ ...failing, nextCheckAt: HOUR + 1 }, asked(), due], GIVE],
    [
      "leaves it alone with background: false, too",
      [{ ...failing, nextCheckAt: HOUR + 1 }, asked(), { ...due, background: false }],
      GIVE,
    ],
    [
      "leaves it alone if the expiry is unknown, too",
      [loaded(endless, { storeFailures: 1, nextCheckAt: HOUR + 1 }), asked()],
      GIVE,
    ],
    ["tries a store again that failed a while ago", [{ ...failing, nextCheckAt: HOUR }, asked(), due], RENEW_BEHIND],
    [
      "tries a store that has just failed if the token has expired",
      [{ ...failing, nextCheckAt: HOUR + 1 }, asked(), over],
      renewFirst("clock"),
    ],
    ["checks another process's exchange in the background", [loaded(claimed), asked()], RENEW_BEHIND],
    ["does not check it without a refresh function", [loaded(claimed), asked(), { canRefresh: false }], GIVE],
    ["waits if the token has expired", [valid, asked(), over], renewFirst("clock")],
    ["waits again if the renewed token has expired", [valid, asked({ renewals: 1 }), over], renewFirst("clock")],
    [
      "is rejected if even a second one arrived expired",
      [valid, asked({ renewals: 2 }), over],
      refuse({
        code: "REFRESH_FAILED",
        retryAt: END,
        message: expect.stringMatching(
          /: two access tokens in a row had expired when they arrived\. Check .* machine\. Try again/,
        ),
      }),
    ],
    ["is rejected if the refresh failed", [valid, asked({ failure }), over], refuse(failure)],
    ["gets the expired one with staleIfError", [valid, asked({ failure }), { ...over, staleIfError: true }], GIVE],
    [
      "is rejected even with staleIfError if something else failed",
      [valid, asked({ failure: new ConfigurationError("x") }), { ...over, staleIfError: true }],
      refuse({ code: "CONFIGURATION" }),
    ],
    [
      "is rejected even with staleIfError if the error is foreign",
      [valid, asked({ failure: { code: "REFRESH_FAILED" } }), { ...over, staleIfError: true }],
      refuse({ code: "REFRESH_FAILED" }),
    ],
  ])("%s", (_name, input, expected) => {
    expect(effectsOf(input)).toEqual(expected);
  });
});

describe("a caller that wants a newer token", () => {
  const unrenewable = loaded(recordOf({ tokens: tokens({ refreshToken: undefined }) }));

  it.each<[string, Case, readonly object[]]>([
    ["loads before the first load", [initialSession, forced()], LOAD],
    ["loads again if a load found nothing", [initialSession, forced({ loaded: true })], LOAD],
    ["loads if the session is known as dead", [loaded(tombstone), forced()], LOAD],
    ["is rejected if a load found it dead", [loaded(tombstone), forced({ loaded: true })], signIn("signed_out")],
    ["loads if nothing can refresh it", [unrenewable, forced()], LOAD],
    ["is rejected if nothing can refresh it", [unrenewable, forced({ loaded: true })], signIn("session_expired")],
    ["waits for it, whatever the clock says", [loaded(recordOf()), forced()], renewFirst("call")],
    ["gets it", [loaded(recordOf()), forced({ renewals: 1 })], GIVE],
    ["is rejected if that failed", [loaded(recordOf()), forced({ failure, renewals: 1 })], refuse(failure)],
  ])("%s", (_name, input, expected) => {
    expect(effectsOf(input)).toEqual(expected);
  });
});

describe("a caller whose token a server rejected (P10)", () => {
  const valid = loaded(recordOf());
  const after = { loaded: true };
  const fresh = { ...valid, exchangedAt: { now: NOW - 28_500, monotonic: HOUR - 28_499.6 } };

  it.each<[string, Case, readonly object[]]>([
    ["gets another token if one is known", [valid, rejected({}, canary("access", 0))], GIVE],
    ["loads before the first load", [initialSession, rejected()], LOAD],
    ["loads to find out whether it was replaced", [valid, rejected()], LOAD],
    ["has to sign in if there is no session", [loaded(undefined), rejected(after)], signIn("no_session")],
    ["waits for its replacement", [valid, rejected(after)], renewFirst("rejection")],
    ["joins a running renewal", [{ ...valid, isRenewing: true }, rejected()], renewFirst("rejection")],
    ["is rejected if that failed", [valid, rejected({ failure })], refuse(failure)],
    ["is rejected if the first load failed", [initialSession, rejected({ failure })], refuse(failure)],
    ["gets no renewal of a token just obtained", [fresh, rejected(after)], justObtained(NOW + 1_500)],
    ["gets no second renewal", [valid, rejected({ ...after, renewals: 1 })], justObtained(NOW)],
    [
      "gets a renewal of a token obtained long enough ago",
      [{ ...valid, exchangedAt: { now: NOW - 30_000, monotonic: HOUR } }, rejected(after)],
      renewFirst("rejection"),
    ],
    [
      "has to sign in if nothing can renew the token",
      [valid, rejected(after), { canRefresh: false }],
      signIn("session_expired"),
    ],
  ])("%s", (_name, input, expected) => {
    expect(effectsOf(input).filter((effect) => effect.do !== "announce")).toEqual(expected);
  });

  it("makes the token unusable to others only while it is being replaced", () => {
    expect(step(valid, rejected(after)).session.rejected).toBe(ACCESS);
    expect(step(valid, rejected()).session.rejected).toBeUndefined();
    expect(step(fresh, rejected(after)).session.rejected).toBeUndefined();
    expect(step(valid, rejected(after), { canRefresh: false }).session.rejected).toBeUndefined();
  });
});

describe("an observed record", () => {
  const newer = recordOf({
    tokens: tokens({ accessToken: canary("access", 2), refreshToken: canary("refresh", 2) }),
    obtainedAt: NOW + 1,
    spent: [digestOf(canary("refresh", 1))],
  });
  const adopted = { do: "announce", event: { type: "tokens-adopted", expiresAt: END } };
  const see = (session: Session, record: SessionRecord | undefined, source: RecordSource) =>
    step(session, seen(record, source));

  it.each<RecordSource>(["store", "change"])("is adopted, which is announced: %s", (by) => {
    const { session, effects } = see(loaded(recordOf(), { rejected: ACCESS }), newer, by);
    expect(session).toMatchObject({ record: newer, isLoaded: true, rejected: undefined });
    expect(effects).toContainEqual(adopted);
  });

  it.each<[string, readonly [Session, RecordSource, SessionRecord?]]>([
    ["for the first time", [initialSession, "store"]],
    ["after a sign-out", [loaded(tombstone), "store"]],
    ["after our exchange", [loaded(recordOf()), "exchange"]],
    ["after our sign-in", [loaded(recordOf()), "sign-in"]],
    ["if it is of another account", [loaded(recordOf(), { account: "ada" }), "store", { ...newer, account: "bob" }]],
  ])("is not announced as adopted %s", (_name, [session, by, record = newer]) => {
    const { session: after, effects } = see(session, record, by);
    expect(after.record).toBe(record);
    expect(effects.filter((effect) => effect.do !== "announce" || effect.event.type !== "state-changed")).toEqual([]);
  });

  it("is ignored if its refresh token is spent, unless it comes from a sign-in", () => {
    expect(see(loaded(newer), recordOf(), "store").session.record).toBe(newer);
    expect(see(loaded(newer), recordOf(), "store").effects).toEqual([]);
    expect(see(loaded(newer), recordOf(), "sign-in").session.record?.tokens).toEqual(recordOf().tokens);
    expect(see(loaded(newer, { account: "ada" }), undefined, "store").session.record).toBeUndefined();
  });

  it("is not taken for an older version if it is of another account", () => {
    const { session } = see(loaded(newer, { account: "ada" }), recordOf({ account: "bob" }), "store");
    expect(stateOf(session, conditions())).toEqual({ status: "dead", reason: "account_changed" });
  });

  it("sets the account once, and again with each sign-in", () => {
    const ada = see(initialSession, recordOf({ account: "ada" }), "store").session;
    expect(ada.account).toBe("ada");
    expect(see(ada, { ...newer, account: "bob" }, "store").session.account).toBe("ada");
    expect(see(ada, { ...newer, account: "bob" }, "sign-in").session.account).toBe("bob");
    expect(see(ada, newer, "sign-in").session.account).toBeUndefined();
    expect(see(initialSession, undefined, "sign-in").session.account).toBeUndefined();
  });

  it("clears a rejection only if its access token is another one", () => {
    const session = loaded(recordOf(), { rejected: ACCESS });
    for (const change of [{ tokens: tokens({ accessToken: canary("access", 2) }) }, { obtainedAt: NOW + 1 }]) {
      expect(see(session, recordOf(change), "change").session.rejected).toBeUndefined();
    }
    const renewed = recordOf({ tokens: tokens({ refreshToken: canary("refresh", 2) }) });
    expect(see(session, renewed, "change").session.rejected).toBe(ACCESS);
    const known = step({ ...session, isRenewing: true }, seen(recordOf({ attempt: attempt(1) }), "change"));
    expect(known.session).toMatchObject({ rejected: ACCESS, record: { attempt: { id: "theirs" } } });
    expect(known.effects).toEqual([]);
    expect(see(session, tombstone, "change").session.rejected).toBe(ACCESS);
  });
});

describe("the tokens of an exchange", () => {
  const NONE = 0;
  const cooldowns = (record: Partial<SessionRecord>, by: RecordSource, now = NOW) => {
    const { session } = step(initialSession, seen(recordOf({ renewed: true, ...record }), by), { now });
    const found = session.record;
    const ctx = conditions({ now });
    return found && [clockCooldown(session, found, ctx), rejectionCooldown(session, found, ctx)];
  };
  const lasting = (lifetime: number | undefined) => ({
    tokens: tokens({ expiresAt: lifetime === undefined ? undefined : NOW + lifetime }),
  });

  it.each<[string, readonly [Partial<SessionRecord>, RecordSource, number?], readonly [number, number]]>([
    ["by a fifth of their lifetime, after a 401 by 30 s", [{}, "exchange"], [12 * MINUTE, 30 * SECOND]],
    ["by a fifth of a short lifetime", [lasting(MINUTE), "exchange"], [12 * SECOND, 12 * SECOND]],
    [
      "by a second if their lifetime is very short, after a 401 by a fifth of it",
      [lasting(SECOND), "exchange"],
      [SECOND, SECOND / 5],
    ],
    [
      "by a second if their expiry is unknown, after a 401 by 30 s",
      [lasting(undefined), "exchange"],
      [SECOND, 30 * SECOND],
    ],
    ["from when they were seen to appear", [{}, "change", NOW + HOUR], [12 * MINUTE, 30 * SECOND]],
    ["not if the machine slept during the exchange", [{}, "exchange", NOW + HOUR], [NONE, NONE]],
    [
      "by their age if they were found in the store",
      [{}, "store", NOW + 10 * SECOND],
      [12 * MINUTE - 10 * SECOND, 20 * SECOND],
    ],
    ["after 30 s in the store", [{}, "store", NOW + 30 * SECOND], [12 * MINUTE - 30 * SECOND, NONE]],
    ["no longer after a fifth of their lifetime in the store", [{}, "store", NOW + 12 * MINUTE], [NONE, NONE]],
    ["right after they were stored", [{}, "store", NOW], [12 * MINUTE, 30 * SECOND]],
    ["not if they come from the future, by the local clock", [{}, "store", NOW - 1], [NONE, NONE]],
    ["not after a sign-in", [{ renewed: undefined }, "sign-in"], [NONE, NONE]],
  ])("delay their next renewal: %s", (_name, [record, by, now], expected) => {
    expect(cooldowns(record, by, now)).toEqual(expected);
  });
});

describe("a renewal", () => {
  it("changes the state while it runs", () => {
    const { session, effects } = step(loaded(recordOf()), { type: "renewal-started" });
    expect(session.isRenewing).toBe(true);
    expect(effects).toContainEqual({
      do: "announce",
      event: { type: "state-changed", state: { status: "refreshing", expiresAt: END, usable: true } },
    });
    expect(effects).toHaveLength(1);
  });

  it.each([
    ["it changed the session", { changed: true }, [Number.NEGATIVE_INFINITY, 0]],
    ["it changed nothing", { changed: false }, [HOUR + CHECK_INTERVAL, 0]],
    ["the token endpoint failed", { changed: false, failure }, [HOUR + CHECK_INTERVAL, 0]],
    ["the store failed for the third time", { changed: false, failure: unavailable }, [HOUR + 4_000, 3]],
  ] as const)("allows the next one when it ends: %s", (_name, ended, [nextCheckAt, storeFailures]) => {
    const before = loaded(recordOf(), { isRenewing: true, rejected: ACCESS, storeFailures: 2 });
    const { session, effects } = step(before, { type: "renewal-ended", ...ended });
    const after = { record: before.record, isRenewing: false, rejected: undefined, nextCheckAt, storeFailures };
    expect(session).toMatchObject(after);
    expect(effects.filter((effect) => effect.do !== "announce")).toEqual([]);
  });
});

describe("a change of state", () => {
  const told = (session: Session, event: Event, more: Partial<Context> = {}) =>
    transition(session, event, conditions(more));

  it("is announced once, before all other effects", () => {
    const state = { status: "near-expiry", expiresAt: END, usable: true, renewable: true };
    const { session, effects } = told(loaded(recordOf()), asked(), { now: IN_WINDOW });
    expect(effects).toEqual([{ do: "announce", event: { type: "state-changed", state } }, ...RENEW_BEHIND]);
    expect(session.announced).toEqual(state);
    expect(told(session, asked(), { now: IN_WINDOW }).effects).toEqual(RENEW_BEHIND);
    expect(told(session, asked({ renewals: 1 }), { now: END }).effects).toEqual(renewFirst("clock"));
  });

  it("is not announced before the first load", () => {
    expect(told(initialSession, asked()).effects).toEqual(LOAD);
  });

  it("is announced if the session is dead for another reason", () => {
    const announced = { status: "dead", reason: "no_session" } as const;
    expect(told(loaded(tombstone, { announced }), asked()).effects).toContainEqual({
      do: "announce",
      event: { type: "state-changed", state: { status: "dead", reason: "signed_out" } },
    });
    expect(told(loaded(undefined, { announced }), asked()).effects).toEqual(LOAD);
  });
});

it.each([
  ["", [], true],
  [", unless it lists our token as spent", [digestOf(canary("refresh", 1))], false],
] as const)(
  "takes an earlier number of the same session for older, whatever the account%s",
  (_name, spent, isOutdated) => {
    const known = recordOf({ session: "s", rotation: 2, account: "ada" });
    const other = recordOf({ session: "s", rotation: 1, account: "bob", spent });
    expect(isOutdatedRecord({ ...initialSession, account: "ada", record: known }, other)).toBe(isOutdated);
  },
);
