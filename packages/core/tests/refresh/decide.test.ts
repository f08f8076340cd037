import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { digestOf, type SessionRecord } from "../../src/record/record.ts";
import { type Decision, type DecisionContext, decide } from "../../src/refresh/decide.ts";
import { genericProvider } from "../../src/token-endpoint/providers.ts";
import type { ProviderProfile } from "../../src/types.ts";
import { attempt } from "../support/interference.ts";
import { HOUR, MINUTE, NOW, recordOf, SECOND, tokens } from "../support/machine.ts";

type Case = readonly [SessionRecord | undefined, Partial<DecisionContext>?];

const END = NOW + HOUR;
const DIGEST = digestOf(canary("refresh", 1));
const CLAIM = { do: "claim", digest: DIGEST, afterLoss: false, failures: 0 } as const;
const STOP = { do: "stop" } as const;
const ended = (reason: string) => ({ do: "end-session", reason, digest: DIGEST });
const goal = (reason: DecisionContext["goal"]["reason"], generation = 1) => ({
  goal: { reason, replacing: canary("access", generation) },
});
const profile = (more: Partial<ProviderProfile>) => ({ profile: { ...genericProvider, ...more } });
const withAttempt = (more: Parameters<typeof attempt>[1], record: Partial<SessionRecord> = {}) =>
  recordOf({ attempt: attempt(1, { claimedAt: NOW, ...more }), ...record });

/** Decides, by default, on a refresh by the clock, of an access token that has expired. */
const decideOn = ([record, more]: Case): Decision =>
  decide(record, {
    ...goal("clock"),
    account: undefined,
    known: undefined,
    isUsable: false,
    isDue: true,
    isInsufficient: false,
    attempt: { isAbandoned: false, heldUntil: undefined, retryAt: undefined },
    profile: genericProvider,
    now: NOW,
    ...more,
  });

describe("decide, about a stored session", () => {
  const usable = { isUsable: true };
  const spent = recordOf({ spent: [DIGEST] });

  it.each<[string, Case, object]>([
    ["stops if it is missing", [undefined], STOP],
    ["stops if it has no tokens", [recordOf({ tokens: undefined })], STOP],
    ["stops if it has ended, whatever else it holds", [recordOf({ dead: { reason: "revoked" } })], STOP],
    ["stops if it is of another account", [recordOf({ account: "bob" }), { account: "ada" }], STOP],
    ["stops if it has no refresh token", [recordOf({ tokens: tokens({ refreshToken: undefined }) })], STOP],
    ["claims if it is due", [recordOf()], CLAIM],
    ["stops if another process has refreshed it", [recordOf(), { ...goal("call", 0), ...usable }], STOP],
    ["claims if another process has refreshed it, and it has expired since", [recordOf(), goal("call", 0)], CLAIM],
    ["stops if it is not due by the clock", [recordOf(), { isDue: false }], STOP],
    ["claims if a caller asks for newer tokens", [recordOf(), { ...goal("call"), ...usable, isDue: false }], CLAIM],
    ["claims if a server rejected its access token", [recordOf(), { ...goal("rejection"), isDue: false }], CLAIM],
    [
      "claims if the token of another process is not valid for long enough",
      [recordOf(), { ...goal("clock", 0), ...usable, isInsufficient: true }],
      CLAIM,
    ],
    [
      "claims if it is not due by the clock, but not valid for long enough",
      [recordOf(), { ...usable, isDue: false, isInsufficient: true }],
      CLAIM,
    ],
    ["ends it if its refresh token is spent", [spent], ended("refresh_token_reused")],
    [
      "stops if its refresh token is spent but its access token is usable",
      [spent, { ...goal("call", 0), ...usable }],
      STOP,
    ],
  ])("%s", (_name, input, expected) => {
    expect(decideOn(input)).toEqual(expected);
  });
});

describe("decide, about a refresh token that this process knows as spent", () => {
  const known = recordOf({
    tokens: tokens({ refreshToken: canary("refresh", 2) }),
    obtainedAt: NOW + 1,
    spent: [DIGEST],
  });
  const newer = digestOf(canary("refresh", 2));

  it.each<[string, Case, object]>([
    ["restores the newer session", [recordOf(), { known }], { do: "restore" }],
    [
      "restores the sign-out that followed it",
      [recordOf(), { known: { ...known, tokens: undefined } }],
      { do: "restore" },
    ],
    ["claims if the newer one is spent, too", [recordOf({ spent: [newer] }), { known }], CLAIM],
    ["claims if it is not spent", [recordOf(), { known: { ...known, spent: [] } }], CLAIM],
  ])("%s", (_name, input, expected) => {
    expect(decideOn(input)).toEqual(expected);
  });
});

describe("decide, about an attempt", () => {
  const abandoned = { attempt: { isAbandoned: true, heldUntil: undefined, retryAt: undefined } };
  const waiting = { attempt: { isAbandoned: false, heldUntil: undefined, retryAt: NOW + SECOND } };
  const held = { attempt: { isAbandoned: true, heldUntil: END, retryAt: undefined } };
  const late = { attempt: { ...held.attempt, isAbandoned: false } };
  const reusable = profile({ rotation: false });
  const LOST = { do: "mark-lost" };
  const claimed = withAttempt({});
  const failed = withAttempt({ status: "failed", failures: 3 });

  it.each<[string, Case, object]>([
    ["ignores it if it is of another refresh token", [recordOf({ attempt: attempt(0) }), abandoned], CLAIM],
    ["waits for it if it is in flight", [claimed], { do: "wait", heldUntil: undefined }],
    ["waits for it if its holder is late but alive", [claimed, held], { do: "wait", heldUntil: END }],
    ["marks it as lost if its holder is alive and the token is reusable", [claimed, { ...held, ...reusable }], LOST],
    ["waits for its lease if the token is reusable", [claimed, { ...late, ...reusable }], { heldUntil: undefined }],
    ["stops if it is in flight and nothing is due", [claimed, { isDue: false }], STOP],
    ["marks it as lost if it is abandoned, even if nothing is due", [claimed, { ...abandoned, isDue: false }], LOST],
    ["does not mark it as lost if it has ended", [failed, abandoned], { ...CLAIM, failures: 3 }],
    ["claims after it failed", [failed], { ...CLAIM, failures: 3 }],
    ["backs off after it failed just now", [failed, waiting], { do: "back-off", retryAt: NOW + SECOND }],
  ])("%s", (_name, input, expected) => {
    const decision = decideOn(input);
    expect(decision).toMatchObject(expected);
    if ("attempt" in decision) expect(decision.attempt).toBe(input[0]?.attempt);
  });
});

describe("decide, about a back-off that is longer than our own", () => {
  // after three failures, ours is 4 s
  const failed = withAttempt({ status: "failed", failures: 3, retryIn: HOUR });
  const after = (wait: number): Partial<DecisionContext> => ({
    now: NOW + wait,
    attempt: { isAbandoned: false, heldUntil: undefined, retryAt: NOW + HOUR },
  });
  const BACK_OFF = { do: "back-off", retryAt: NOW + HOUR };

  it.each<[string, Case, object]>([
    ["backs off", [failed, after(MINUTE)], BACK_OFF],
    ["backs off after a rejection, too", [failed, { ...after(MINUTE), ...goal("rejection") }], BACK_OFF],
    ["backs off in refresh() until ours has passed", [failed, { ...after(4 * SECOND - 1), ...goal("call") }], BACK_OFF],
    ["lets refresh() probe then", [failed, { ...after(4 * SECOND), ...goal("call") }], { ...CLAIM, failures: 3 }],
    [
      "still defers refresh() after a lost response while the access token is usable",
      [
        withAttempt({ status: "lost", failures: 3, retryIn: HOUR }),
        { ...after(4 * SECOND), ...goal("call"), isUsable: true },
      ],
      { do: "back-off", retryAt: END },
    ],
    [
      "backs off in refresh() for as long as ours lasts",
      [
        withAttempt({ status: "failed", failures: 3, retryIn: 4 * SECOND }),
        { ...goal("call"), attempt: { isAbandoned: false, heldUntil: undefined, retryAt: NOW + 1 } },
      ],
      { do: "back-off", retryAt: NOW + 1 },
    ],
  ])("%s", (_name, input, expected) => {
    expect(decideOn(input)).toMatchObject(expected);
  });
});

describe("decide, about a lost response", () => {
  const AGAIN = { ...CLAIM, afterLoss: true };
  const lost = withAttempt({ status: "lost" });
  const failedAfter = withAttempt({ status: "failed", afterLoss: true });
  const usable = { isUsable: true };
  const grace = profile({ graceSeconds: 30 });
  const signIn = profile({ afterLoss: "sign-in" });
  const backOff = (retryAt: number) => ({ do: "back-off", retryAt });
  const endless = { tokens: tokens({ expiresAt: undefined }) };

  it.each<[string, Case, object]>([
    ["retries once the access token has expired", [lost], AGAIN],
    ["retries if a server rejected the access token", [lost, { ...usable, ...goal("rejection") }], AGAIN],
    ["backs off until the access token expires", [lost, usable], backOff(END)],
    [
      "backs off until then, even if a caller asks for newer tokens",
      [lost, { ...usable, ...goal("call") }],
      backOff(END),
    ],
    [
      "backs off for a minute if the expiry is unknown",
      [withAttempt({ status: "lost" }, endless), usable],
      backOff(NOW + MINUTE),
    ],
    [
      "backs off for as long as the attempt asks for",
      [lost, { ...usable, attempt: { isAbandoned: false, heldUntil: undefined, retryAt: 5 } }],
      backOff(5),
    ],
    ["ends the session if the profile asks for a sign-in after a loss", [lost, signIn], ended("response_lost")],
    [
      "ends the session then if a server rejected the access token",
      [lost, { ...signIn, ...usable, ...goal("rejection") }],
      ended("response_lost"),
    ],
    ["does not end the session before the access token expires", [lost, { ...signIn, ...usable }], backOff(END)],
    ["does not end the session after a response that was not lost", [withAttempt({ status: "failed" }), signIn], CLAIM],
    ["ignores it without rotation", [lost, { ...usable, ...profile({ rotation: false }) }], CLAIM],
    ["remembers it through a failure", [failedAfter], AGAIN],
    ["remembers it through a failure, while the access token is usable", [failedAfter, usable], backOff(END)],
    ["remembers it without rotation", [failedAfter, profile({ rotation: false })], AGAIN],
    ["retries at once within the grace period", [lost, { ...usable, ...grace }], AGAIN],
    [
      "retries at once 1 ms before the grace period ends",
      [lost, { ...usable, ...grace, now: NOW + 30 * SECOND - 1 }],
      AGAIN,
    ],
    [
      "backs off when the grace period has ended",
      [lost, { ...usable, ...grace, now: NOW + 30 * SECOND }],
      backOff(END),
    ],
    [
      "backs off if the grace period lies in the future by this clock",
      [lost, { ...usable, ...grace, now: NOW - 1 }],
      backOff(END),
    ],
    ["does not start another grace period", [failedAfter, { ...usable, ...grace }], backOff(END)],
    [
      "backs off within the grace period if the profile asks for a sign-in after a loss",
      [lost, { ...usable, ...profile({ graceSeconds: 30, afterLoss: "sign-in" }) }],
      backOff(END),
    ],
  ])("%s", (_name, input, expected) => {
    expect(decideOn(input)).toMatchObject(expected);
  });
});
