import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import {
  type Context,
  initialSession,
  isDue,
  isRenewable,
  lifetimeOf,
  NEVER,
  type Session,
  stateOf,
  validUntil,
} from "../../src/manager/session.ts";
import type { SessionRecord } from "../../src/record/record.ts";
import type { Moment } from "../../src/util/clock.ts";
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
    ["1 ms before its expiry", [loaded(recordOf()), { now: END - 1 }], { status: "near-expiry", usable: true }],
    ["at its expiry", [loaded(recordOf()), { now: END }], { status: "near-expiry", usable: false }],
    [
      "1 ms before the last fifth of a short lifetime",
      [loaded(short), { now: NOW + 8 * MINUTE - 1 }],
      { status: "valid" },
    ],
    ["at the last fifth of a short lifetime", [loaded(short), { now: NOW + 8 * MINUTE }], { status: "near-expiry" }],
    [
      "in the window, without a refresh function",
      [loaded(recordOf()), { now: WINDOW, canRefresh: false }],
      { status: "valid" },
    ],
    ["in the window, without a refresh token", [loaded(unrenewable), { now: WINDOW }], { status: "valid" }],
    [
      "expired, without a refresh token",
      [loaded(unrenewable), { now: END }],
      { status: "dead", reason: "session_expired" },
    ],
    ["of unknown expiry, renewed", [loaded(endless()), { now: END }], { status: "valid", expiresAt: undefined }],
    [
      "of unknown expiry, signed in",
      [loaded(endless({ renewed: undefined }))],
      { status: "near-expiry", usable: true },
    ],
    [
      "renewing in this process",
      [loaded(recordOf(), { isRenewing: true })],
      { status: "refreshing", expiresAt: END, usable: true },
    ],
    ["claimed by another process", [loaded(claimed)], { status: "refreshing", expiresAt: END, usable: true }],
    ["claimed by another process, expired", [loaded(claimed), { now: END }], { status: "refreshing", usable: false }],
    [
      "claimed by another process, expired by our clock, but just obtained",
      [loaded(claimed, { exchangedAt: { now: END - MINUTE, monotonic: HOUR - MINUTE } }), { now: END }],
      { status: "refreshing", usable: true },
    ],
    ["after a failed attempt", [loaded(recordOf({ attempt: attempt(1, { status: "failed" }) }))], { status: "valid" }],
    ["rejected by a server", [loaded(recordOf(), { rejected: ACCESS })], { status: "near-expiry", usable: false }],
    [
      "too new to be renewed",
      [loaded(recordOf(), { exchangedAt: { now: WINDOW - 12 * MINUTE + 1, monotonic: HOUR } }), { now: WINDOW }],
      { status: "valid" },
    ],
    [
      "no longer too new",
      [loaded(recordOf(), { exchangedAt: { now: WINDOW - 12 * MINUTE, monotonic: HOUR } }), { now: WINDOW }],
      { status: "near-expiry" },
    ],
    [
      "no longer too new by the monotonic clock",
      [loaded(recordOf(), { exchangedAt: { now: WINDOW, monotonic: HOUR - 12 * MINUTE } }), { now: WINDOW }],
      { status: "near-expiry" },
    ],
    [
      "obtained in the future, because the clock was set back",
      [loaded(recordOf(), { exchangedAt: { now: WINDOW + 1, monotonic: HOUR } }), { now: WINDOW }],
      { status: "near-expiry" },
    ],
    ["known for its lifetime", [loaded(recordOf(), { firstSeen: 0 })], { status: "near-expiry", usable: false }],
    ["known for nearly its lifetime", [loaded(recordOf(), { firstSeen: 1 })], { status: "near-expiry", usable: true }],
    ["known for long", [loaded(recordOf(), { firstSeen: 5 * MINUTE })], { status: "near-expiry", usable: true }],
    ["not known for long", [loaded(recordOf(), { firstSeen: 5 * MINUTE + 1 })], { status: "valid" }],
  ])("matches the record and the time: %s", (_name, [session, more], expected) => {
    const state = stateOf(session, conditions(more));
    if (expected) expect(state).toMatchObject(expected);
    else expect(state).toBeUndefined();
  });
});

describe("validUntil", () => {
  const at = (now: number, monotonic = Number.POSITIVE_INFINITY) => ({ now, monotonic });

  it.each<[string, Case, Moment]>([
    ["is the start of the window", [loaded(recordOf())], at(WINDOW)],
    ["is the start of the window on both clocks", [loaded(recordOf(), { firstSeen: 7 })], at(WINDOW, 7 + 55 * MINUTE)],
    [
      "is the start of the window, whatever the time is",
      [loaded(recordOf(), { exchangedAt: { now: END, monotonic: 0 } }), { now: END, monotonic: 0 }],
      at(WINDOW),
    ],
    ["is the expiry of a token that cannot be renewed", [loaded(unrenewable, { firstSeen: 7 })], at(END, 7 + HOUR)],
    ["is infinite for a renewed token of unknown expiry", [loaded(endless())], at(Number.POSITIVE_INFINITY)],
    [
      "is when the store was not looked at for too long",
      [loaded(recordOf(), { lookedAt: { now: NOW + 1, monotonic: 2 } }), { maxStaleness: 5 }],
      at(NOW + 6, 7),
    ],
    [
      "is that for a token of unknown expiry, too",
      [loaded(endless(), { lookedAt: { now: NOW + 1, monotonic: 2 } }), { maxStaleness: 5 }],
      at(NOW + 6, 7),
    ],
    ["is in the past if the expiry is still to be found out", [loaded(endless({ renewed: false }))], NEVER],
    ["is in the past before the first load", [initialSession], NEVER],
    ["is in the past after a sign-out", [loaded(tombstone)], NEVER],
    [
      "is in the past for a session of another account",
      [loaded(recordOf({ account: "bob" }), { account: "ada" })],
      NEVER,
    ],
    ["is in the past during an exchange", [loaded(claimed)], NEVER],
    ["is in the past for a rejected token", [loaded(recordOf(), { rejected: ACCESS })], NEVER],
  ])("%s", (_name, [session, more], expected) => {
    expect(validUntil(session, conditions(more))).toEqual(expected);
  });
});

describe("a record", () => {
  it("has a lifetime, never a negative one, infinite if its expiry is unknown", () => {
    expect(lifetimeOf(recordOf())).toBe(HOUR);
    expect(lifetimeOf(recordOf({ obtainedAt: END + 1 }))).toBe(0);
    expect(lifetimeOf(endless())).toBe(Number.POSITIVE_INFINITY);
    expect(lifetimeOf(tombstone)).toBe(Number.POSITIVE_INFINITY);
  });

  it("is neither renewable nor due without tokens", () => {
    for (const record of [undefined, tombstone]) {
      expect(isRenewable(loaded(record), conditions())).toBe(false);
      expect(isDue(loaded(record), conditions({ now: END }))).toBe(false);
    }
  });

  it("is due if its token was rejected, however new it is", () => {
    expect(
      isDue(loaded(recordOf(), { rejected: ACCESS, exchangedAt: { now: NOW, monotonic: HOUR } }), conditions()),
    ).toBe(true);
  });
});
