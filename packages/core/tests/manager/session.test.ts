import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import {
  type Context,
  initialSession,
  isDue,
  isRenewable,
  lifetimeOf,
  type Session,
  stateOf,
  validUntil,
} from "../../src/manager/session.ts";
import type { SessionRecord } from "../../src/record/record.ts";
import { attempt } from "../support/interference.ts";
import { conditions, HOUR, loaded, MINUTE, NOW, recordOf, tokens } from "../support/machine.ts";

type Case = readonly [Session, Partial<Context>?];

const ACCESS = canary("access", 1);
const END = NOW + HOUR;
const WINDOW = END - 5 * MINUTE;
const endless = (more: Partial<SessionRecord> = {}) =>
  recordOf({ tokens: tokens({ expiresAt: undefined }), renewed: true, ...more });
const unrenewable = recordOf({ tokens: tokens({ refreshToken: undefined }) });
const tombstone = recordOf({ tokens: undefined, dead: { reason: "signed_out" } });
const claimed = recordOf({ attempt: attempt(1) });
const short = recordOf({ tokens: tokens({ expiresAt: NOW + 10 * MINUTE }) });

describe("the state of a session", () => {
  it.each<[string, Case, object | undefined]>([
    ["before the first load", [initialSession], undefined],
    ["without a record", [loaded(undefined)], { status: "dead", reason: "no_session" }],
    ["without tokens", [loaded(recordOf({ tokens: undefined }))], { status: "dead", reason: "no_session" }],
    ["signed out", [loaded(tombstone)], { status: "dead", reason: "signed_out" }],
    [
      "of another account",
      [loaded(recordOf({ account: "bob" }), { account: "ada" })],
      { status: "dead", reason: "account_changed" },
    ],
    ["1 ms before the window", [loaded(recordOf()), { now: WINDOW - 1 }], { status: "valid", expiresAt: END }],
    ["at the window", [loaded(recordOf()), { now: WINDOW }], { status: "near-expiry", expiresAt: END, usable: true }],
    ["1 ms before its end", [loaded(recordOf()), { now: END - 1 }], { status: "near-expiry", usable: true }],
    ["at its end", [loaded(recordOf()), { now: END }], { status: "near-expiry", usable: false }],
    ["1 ms before a fifth of a short life", [loaded(short), { now: NOW + 8 * MINUTE - 1 }], { status: "valid" }],
    ["at a fifth of a short life", [loaded(short), { now: NOW + 8 * MINUTE }], { status: "near-expiry" }],
    [
      "in the window, without a refresh function",
      [loaded(recordOf()), { now: WINDOW, canRefresh: false }],
      { status: "valid" },
    ],
    ["in the window, without a refresh token", [loaded(unrenewable), { now: WINDOW }], { status: "valid" }],
    [
      "ended, without a refresh token",
      [loaded(unrenewable), { now: END }],
      { status: "dead", reason: "session_expired" },
    ],
    ["of unknown end, renewed", [loaded(endless()), { now: END }], { status: "valid", expiresAt: undefined }],
    ["of unknown end, signed in", [loaded(endless({ renewed: undefined }))], { status: "near-expiry", usable: true }],
    [
      "renewing here",
      [loaded(recordOf(), { isRenewing: true })],
      { status: "refreshing", expiresAt: END, usable: true },
    ],
    ["claimed elsewhere", [loaded(claimed)], { status: "refreshing", expiresAt: END, usable: true }],
    ["claimed elsewhere, ended", [loaded(claimed), { now: END }], { status: "refreshing", usable: false }],
    ["after a failed attempt", [loaded(recordOf({ attempt: attempt(1, { status: "failed" }) }))], { status: "valid" }],
    ["refused by a server", [loaded(recordOf(), { rejected: ACCESS })], { status: "near-expiry", usable: false }],
    [
      "too new to be renewed",
      [loaded(recordOf(), { noClockRefreshUntil: HOUR + 1 }), { now: WINDOW }],
      { status: "valid" },
    ],
    [
      "no longer too new",
      [loaded(recordOf(), { noClockRefreshUntil: HOUR }), { now: WINDOW }],
      { status: "near-expiry" },
    ],
  ])("%s", (_name, [session, more], expected) => {
    const state = stateOf(session, conditions(more));
    if (expected) expect(state).toMatchObject(expected);
    else expect(state).toBeUndefined();
  });
});

describe("the time until which a token is handed out unseen", () => {
  const NEVER = Number.NEGATIVE_INFINITY;

  it.each<[string, Case, number]>([
    ["ends where the window begins", [loaded(recordOf())], WINDOW],
    [
      "ends so, whatever the time is",
      [loaded(recordOf(), { noClockRefreshUntil: 2 * HOUR }), { now: END, monotonic: 0 }],
      WINDOW,
    ],
    ["ends with a token that cannot be renewed", [loaded(unrenewable)], END],
    ["does not end with a token that was renewed and has no end", [loaded(endless())], Number.POSITIVE_INFINITY],
    ["does not begin where the end is to be found out", [loaded(endless({ renewed: false }))], NEVER],
    ["does not begin before the first load", [initialSession], NEVER],
    ["does not begin after a sign-out", [loaded(tombstone)], NEVER],
    ["does not begin with another account's", [loaded(recordOf({ account: "bob" }), { account: "ada" })], NEVER],
    ["does not begin during an exchange", [loaded(claimed)], NEVER],
    ["does not begin with a refused token", [loaded(recordOf(), { rejected: ACCESS })], NEVER],
  ])("%s", (_name, [session, more], expected) => {
    expect(validUntil(session, conditions(more))).toBe(expected);
  });
});

describe("what is told of a record", () => {
  it("a lifetime, never negative, where the end is known", () => {
    expect(lifetimeOf(recordOf())).toBe(HOUR);
    expect(lifetimeOf(recordOf({ obtainedAt: END + 1 }))).toBe(0);
    expect(lifetimeOf(endless())).toBeUndefined();
    expect(lifetimeOf(tombstone)).toBeUndefined();
  });

  it("nothing to renew, and nothing due, where there are no tokens", () => {
    for (const record of [undefined, tombstone]) {
      expect(isRenewable(loaded(record), conditions())).toBe(false);
      expect(isDue(loaded(record), conditions({ now: END }))).toBe(false);
    }
  });

  it("a refused token is due, however new it is", () => {
    expect(isDue(loaded(recordOf(), { rejected: ACCESS, noClockRefreshUntil: 2 * HOUR }), conditions())).toBe(true);
  });
});
