import * as z from "zod/mini";
import type { Digest } from "../record/record.ts";
import type { CooldownReason } from "../types.ts";
import { toTime } from "../util/clock.ts";

const SECOND = 1_000;
const HOUR = 60 * 60 * SECOND;

/** The longest cooldown in milliseconds, whatever a server or a store says. */
export const LONGEST = 24 * HOUR;
const MAX_COOLDOWNS = 1_000;

/** Limits the length of a cooldown. At least a second, so that the retry of the request goes to another entry. */
export const toLength = (milliseconds: number): number =>
  milliseconds > SECOND ? Math.min(milliseconds, LONGEST) : SECOND; // NaN, too

const limited = (limit: (value: number) => number) => z.number().check(z.overwrite(limit));

// Unknown members survive: another process may run a later release.
const cooldownSchema = z.looseObject({
  entry: z.string(),
  /** A `CooldownReason`, perhaps one of a later release. */
  reason: z.string(),
  /** The digest of the entry's refresh token then; of its access token if it has no refresh token. */
  digest: z.string(),
  /** The session, if the entry is a token manager. A refresh does not change it. */
  session: z.optional(z.string()),
  /** The digest of the access token, if the cooldown is only about that. */
  accessToken: z.optional(z.string()),
  /** The end in epoch milliseconds, and the length in milliseconds. */
  until: limited(toTime),
  length: limited(toLength),
});

/** A reason not to use an entry for a while. */
export type Cooldown = z.infer<typeof cooldownSchema>;

/** The latest ends come first in a list. More cooldowns are not even read. */
const firstOf = (cooldowns: unknown) => (Array.isArray(cooldowns) ? cooldowns.slice(0, MAX_COOLDOWNS) : cooldowns);

const listSchema = z.looseObject({
  schema: z.literal(1),
  cooldowns: z.pipe(z.transform(firstOf), z.array(cooldownSchema)),
  requires: z.optional(z.array(z.string()).check(z.maxLength(0))),
});

/** The stored form. */
export type CooldownList = z.infer<typeof listSchema>;

/** Parses a stored string. Returns `undefined` if it holds something else, or what only a later release may change. */
export function parseCooldowns(value: string): CooldownList | undefined {
  try {
    return listSchema.safeParse(JSON.parse(value)).data;
  } catch {
    return undefined;
  }
}

/** Identifies the session of an entry, and its access token. */
export interface Identity {
  readonly session: string | undefined;
  /** See {@link Cooldown}. */
  readonly digest: Digest;
  readonly accessToken: Digest;
}

/** Returns whether a cooldown is about this session, and not about one that a sign-in has replaced. */
export function concerns(cooldown: Cooldown, { session, digest, accessToken }: Identity): boolean {
  if (cooldown.accessToken !== undefined) return cooldown.accessToken === accessToken;
  if (cooldown.session !== undefined && session !== undefined) return cooldown.session === session;
  return cooldown.digest === digest;
}

/** Returns whether two cooldowns are the same but for their end. */
export const isSame = (a: Cooldown, b: Cooldown): boolean =>
  a.entry === b.entry &&
  a.reason === b.reason &&
  a.accessToken === b.accessToken &&
  (a.session === undefined || b.session === undefined ? a.digest === b.digest : a.session === b.session);

/** Identifies a cooldown with its end. */
export const keyOf = ({ entry, reason, digest, session, accessToken, until }: Cooldown): string =>
  JSON.stringify([entry, reason, digest, session, accessToken, until]);

/**
 * Returns whether a cooldown may end at this time: not much later than its length from now. The clock of the process that saved
 * it, or this one, may have been wrong.
 */
export const isPlausible = ({ until, length }: Cooldown, now: number): boolean => until <= now + length + HOUR;

/**
 * Returns `list` with the cooldowns of this process. Of two that are the same, the later end counts. Returns `list` itself
 * if nothing changes, or if it is full of cooldowns that end later. Cooldowns that ended are removed an hour later, because
 * the clocks of machines differ, and those that are not plausible at once.
 */
export function withCooldowns(list: CooldownList, own: readonly Cooldown[], now: number): CooldownList {
  const plausible = list.cooldowns.filter((known) => isPlausible(known, now));
  const added = own.filter((each) => !plausible.some((known) => isSame(known, each) && known.until >= each.until));
  if (added.length === 0) return list;
  const merged = added.map((each) => ({ ...plausible.find((known) => isSame(known, each)), ...each }));
  const kept = plausible.filter((known) => known.until > now - HOUR && !added.some((each) => isSame(known, each)));
  const cooldowns = [...kept, ...merged].sort((a, b) => b.until - a.until).slice(0, MAX_COOLDOWNS);
  return merged.some((each) => cooldowns.includes(each)) ? { ...list, cooldowns } : list;
}

const REASONS: readonly string[] = ["rate_limited", "payment_required", "rejected", "sign_in_required"];

const isReason = (reason: string): reason is CooldownReason => REASONS.includes(reason);

/** Returns the reason as this release knows it. */
export const reasonOf = ({ reason }: Cooldown): CooldownReason => (isReason(reason) ? reason : "rate_limited");
