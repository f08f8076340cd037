import { RefreshFailedError, SignInRequiredError, UnexpiredError } from "../errors.ts";
import type { CooldownReason, DeadReason } from "../types.ts";
import { reasonOf } from "./cooldown-list.ts";
import type { Entry } from "./entry.ts";
import { failureText } from "./failure-text.ts";
import type { Active } from "./shared-cooldowns.ts";

/** Why an entry of a pool is not available. Plain data without secrets. */
export interface EntryStatus {
  /** The name of the entry. */
  readonly entry: string;
  /**
   * A {@link CooldownReason}; or its token has expired and could not be refreshed (`refresh_failed`); or it failed in another
   * way, such as an unreadable store (`failed`).
   */
  readonly reason: CooldownReason | "refresh_failed" | "failed";
  /** When it becomes available without a sign-in, in epoch milliseconds; `undefined` if never, or unknown. */
  readonly until: number | undefined;
  /** The reason in words, as a clause. */
  readonly problem: string;
}

/** The state of a pool, as its `why()` returns it. Plain data without secrets. */
export interface PoolStatus {
  /** The names of the entries that may be used now, as far as is known. */
  readonly available: readonly string[];
  /** The others. */
  readonly unavailable: readonly EntryStatus[];
  /**
   * When the first entry becomes available without a sign-in, in epoch milliseconds; `undefined` if one is available, or if
   * that is unknown.
   */
  readonly retryAt: number | undefined;
  /** Why other processes do not see the cooldowns of this one, as a full sentence; `undefined` if they do. */
  readonly sharingProblem: string | undefined;
}

const PROBLEMS: Record<CooldownReason, string> = {
  rate_limited: "rate limited",
  payment_required: "its quota is used up, or payment is required",
  rejected: "its access token was rejected, and could not be renewed",
  sign_in_required: "sign-in required",
};

/** Returns why an entry is not available at the time `now`; `undefined` if it is, as far as is known. */
export function statusOf(entry: Entry, active: Active | undefined, now: number): EntryStatus | undefined {
  const { name, deadReason, deadLocation, failure } = entry;
  if (deadReason !== undefined) return signInNeeded(name, deadReason, deadLocation);
  if (active) {
    const reason = reasonOf(active.cooldown);
    if (reason === "sign_in_required") return signInNeeded(name, "session_expired");
    return { entry: name, reason, until: Math.round(now + active.left), problem: PROBLEMS[reason] };
  }
  if (failure === undefined) return undefined;
  const isRefresh = UnexpiredError.is(failure) && failure.code === "REFRESH_FAILED";
  const until = isRefresh && isDate(failure.retryAt) ? failure.retryAt : undefined;
  return { entry: name, reason: isRefresh ? "refresh_failed" : "failed", until, problem: failureText(failure) };
}

/** A source by hand may reject with any number. */
const isDate = (time: number): boolean => !Number.isNaN(new Date(time).getTime());

const signInNeeded = (entry: string, reason: DeadReason, location?: string): EntryStatus => ({
  entry,
  reason: "sign_in_required",
  until: undefined,
  problem: `${PROBLEMS.sign_in_required} (${location ? `${reason}, ${location}` : reason})`,
});

/** Returns the earliest `until`, if there is one. */
export function earliest(statuses: readonly EntryStatus[]): number | undefined {
  const times = statuses.flatMap(({ until }) => until ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Returns the error for a pool without an available entry. `failures`: those of the entries, if any. */
export function unavailableError(
  statuses: readonly EntryStatus[],
  { reasons, failures, now }: { reasons: readonly DeadReason[]; failures: readonly unknown[]; now: number },
): unknown {
  const entries = statuses.map(describe).join("; ");
  const retryAt = earliest(statuses);
  if (retryAt !== undefined) return new RefreshFailedError(retryAt, { reason: "exhausted", entries });
  const isDead = statuses.length > 0 && statuses.every(({ reason }) => reason === "sign_in_required");
  if (!isDead) return failures[0] ?? new RefreshFailedError(now, { reason: "exhausted", entries: entries || "none" });
  return new SignInRequiredError(reasons[0] ?? "session_expired", undefined, {
    problem: `no entry of the token pool has a session that can be used: ${entries}`,
    hint: "Have the user sign in to one of them.",
  });
}

const describe = ({ entry, problem, until }: EntryStatus): string =>
  until === undefined ? `${entry}: ${problem}` : `${entry}: ${problem}, until ${new Date(until).toISOString()}`;
