import { describe, expect, it } from "vitest";
import { canary } from "../../../../verification/end-to-end/support/canary.ts";
import { digestOf, type SessionRecord } from "../../src/record/record.ts";
import { type Decision, decide, type View } from "../../src/refresh/decide.ts";
import { genericProvider } from "../../src/token-endpoint/providers.ts";
import type { ProviderProfile } from "../../src/types.ts";
import { attempt } from "../support/interference.ts";
import { HOUR, MINUTE, NOW, recordOf, SECOND, tokens } from "../support/machine.ts";

type Case = readonly [SessionRecord | undefined, Partial<View>?];

const END = NOW + HOUR;
const DIGEST = digestOf(canary("refresh", 1));
const CLAIM = { do: "claim", digest: DIGEST, afterLoss: false, failures: 0 } as const;
const STOP = { do: "stop" } as const;
const ended = (reason: string) => ({ do: "end", reason, digest: DIGEST });
const goal = (because: View["goal"]["because"], generation = 1) => ({
  goal: { because, replacing: canary("access", generation) },
});
const profile = (more: Partial<ProviderProfile>) => ({ profile: { ...genericProvider, ...more } });
const withAttempt = (more: Parameters<typeof attempt>[1], record: Partial<SessionRecord> = {}) =>
  recordOf({ attempt: attempt(1, { claimedAt: NOW, ...more }), ...record });

/** By default: a renewal by the clock, of an access token that has ended. */
const decideOn = ([record, more]: Case): Decision =>
  decide(record, {
    ...goal("clock"),
    account: undefined,
    known: undefined,
    isUsable: false,
    isDue: true,
    attempt: { isAbandoned: false, retryAt: undefined },
    profile: genericProvider,
    now: NOW,
    ...more,
  });

describe("a stored session", () => {
  const usable = { isUsable: true };
  const spent = recordOf({ spent: [DIGEST] });

  it.each<[string, Case, object]>([
    ["that is missing", [undefined], STOP],
    ["without tokens", [recordOf({ tokens: undefined })], STOP],
    ["that is dead, whatever it holds", [recordOf({ dead: { reason: "revoked" } })], STOP],
    ["of another account", [recordOf({ account: "bob" }), { account: "ada" }], STOP],
    ["without a refresh token", [recordOf({ tokens: tokens({ refreshToken: undefined }) })], STOP],
    ["that is to be renewed", [recordOf()], CLAIM],
    ["that somebody has renewed", [recordOf(), { ...goal("call", 0), ...usable }], STOP],
    ["that somebody has renewed, and that has ended since", [recordOf(), goal("call", 0)], CLAIM],
    ["that the clock sees no reason to renew", [recordOf(), { isDue: false }], STOP],
    ["that a caller wants newer", [recordOf(), { ...goal("call"), ...usable, isDue: false }], CLAIM],
    ["that a server refused", [recordOf(), { ...goal("rejection"), isDue: false }], CLAIM],
    ["of a spent refresh token", [spent], ended("refresh_token_reused")],
    ["of a spent refresh token, with a usable access token", [spent, { ...goal("call", 0), ...usable }], STOP],
  ])("%s", (_name, input, expected) => {
    expect(decideOn(input)).toEqual(expected);
  });
});

describe("a spent refresh token over ours", () => {
  const known = recordOf({
    tokens: tokens({ refreshToken: canary("refresh", 2) }),
    obtainedAt: NOW + 1,
    spent: [DIGEST],
  });
  const ours = digestOf(canary("refresh", 2));

  it.each<[string, Case, object]>([
    ["gives way", [recordOf(), { known }], { do: "restore" }],
    ["gives way to a sign-out", [recordOf(), { known: { ...known, tokens: undefined } }], { do: "restore" }],
    ["stays where ours is spent, too", [recordOf({ spent: [ours] }), { known }], CLAIM],
    ["stays where it is not spent", [recordOf(), { known: { ...known, spent: [] } }], CLAIM],
  ])("%s", (_name, input, expected) => {
    expect(decideOn(input)).toEqual(expected);
  });
});

describe("an attempt", () => {
  const abandoned = { attempt: { isAbandoned: true, retryAt: undefined } };
  const waiting = { attempt: { isAbandoned: false, retryAt: NOW + SECOND } };
  const claimed = withAttempt({});
  const failed = withAttempt({ status: "failed", failures: 3 });

  it.each<[string, Case, object]>([
    ["of another refresh token does not count", [recordOf({ attempt: attempt(0) }), abandoned], CLAIM],
    ["in flight is waited for", [claimed], { do: "wait" }],
    ["in flight is left alone where nothing is due", [claimed, { isDue: false }], STOP],
    ["without an owner is lost, before all else", [claimed, { ...abandoned, isDue: false }], { do: "lose" }],
    ["that has ended has no owner to miss", [failed, abandoned], { ...CLAIM, failures: 3 }],
    ["that failed is followed by another", [failed], { ...CLAIM, failures: 3 }],
    ["that failed just now is not, yet", [failed, waiting], { do: "back-off", retryAt: NOW + SECOND }],
  ])("%s", (_name, input, expected) => {
    const decision = decideOn(input);
    expect(decision).toMatchObject(expected);
    if ("attempt" in decision) expect(decision.attempt).toBe(input[0]?.attempt);
  });
});

describe("a lost answer", () => {
  const AGAIN = { ...CLAIM, afterLoss: true };
  const lost = withAttempt({ status: "lost" });
  const failedAfter = withAttempt({ status: "failed", afterLoss: true });
  const usable = { isUsable: true };
  const grace = profile({ graceSeconds: 30 });
  const signIn = profile({ afterLoss: "sign-in" });
  const backOff = (retryAt: number) => ({ do: "back-off", retryAt });
  const endless = { tokens: tokens({ expiresAt: undefined }) };

  it.each<[string, Case, object]>([
    ["is followed by one more try once the access token has ended", [lost], AGAIN],
    [
      "is followed by one more try where a server refused the access token",
      [lost, { ...usable, ...goal("rejection") }],
      AGAIN,
    ],
    ["is left until the access token ends", [lost, usable], backOff(END)],
    ["is left until then, also where a caller wants a newer one", [lost, { ...usable, ...goal("call") }], backOff(END)],
    [
      "is left for a minute where the end is unknown",
      [withAttempt({ status: "lost" }, endless), usable],
      backOff(NOW + MINUTE),
    ],
    [
      "is left for as long as the attempt says",
      [lost, { ...usable, attempt: { isAbandoned: false, retryAt: 5 } }],
      backOff(5),
    ],
    ["ends the session where the profile says so", [lost, signIn], ended("answer_lost")],
    [
      "ends it then where a server refused the access token",
      [lost, { ...signIn, ...usable, ...goal("rejection") }],
      ended("answer_lost"),
    ],
    ["ends it no earlier than the access token", [lost, { ...signIn, ...usable }], backOff(END)],
    ["ends nothing that did not get lost", [withAttempt({ status: "failed" }), signIn], CLAIM],
    ["does not matter without rotation", [lost, { ...usable, ...profile({ rotation: false }) }], CLAIM],
    ["is remembered through a failure", [failedAfter], AGAIN],
    ["is remembered through a failure, while the access token is usable", [failedAfter, usable], backOff(END)],
    ["is remembered without rotation", [failedAfter, profile({ rotation: false })], AGAIN],
    ["is followed at once within the grace", [lost, { ...usable, ...grace }], AGAIN],
    [
      "is followed at once 1 ms before the grace ends",
      [lost, { ...usable, ...grace, now: NOW + 30 * SECOND - 1 }],
      AGAIN,
    ],
    ["is left when the grace has ended", [lost, { ...usable, ...grace, now: NOW + 30 * SECOND }], backOff(END)],
    [
      "is left where our clock says that the grace has not begun",
      [lost, { ...usable, ...grace, now: NOW - 1 }],
      backOff(END),
    ],
    ["begins no grace anew", [failedAfter, { ...usable, ...grace }], backOff(END)],
    [
      "is left within the grace, where the profile says so",
      [lost, { ...usable, ...profile({ graceSeconds: 30, afterLoss: "sign-in" }) }],
      backOff(END),
    ],
  ])("%s", (_name, input, expected) => {
    expect(decideOn(input)).toMatchObject(expected);
  });
});
