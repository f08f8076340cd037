import {
  type Attempt,
  currentDigest,
  type Digest,
  isOutdated,
  isSameAccount,
  isSpent,
  type SessionRecord,
} from "../record/record.ts";
import type { DeadReason, EndpointResponse, ProviderProfile } from "../types.ts";
import type { AttemptStatus } from "./attempt-tracker.ts";
import { maxDelay } from "./backoff.ts";
import type { RenewalGoal } from "./renewal.ts";

/** The inputs of a decision about the stored record. */
export interface DecisionContext {
  readonly goal: RenewalGoal;
  readonly account: string | undefined;
  /** The record as this manager knows it. */
  readonly known: SessionRecord | undefined;
  /** Whether the record's access token can be handed out. */
  readonly isUsable: boolean;
  /** Whether the access token is due for renewal. */
  readonly isDue: boolean;
  /** Whether the record does not fulfill what else the goal asks for. */
  readonly isInsufficient: boolean;
  /** The status of the record's attempt. */
  readonly attempt: AttemptStatus;
  readonly profile: ProviderProfile;
  /** Epoch milliseconds. */
  readonly now: number;
}

export type Decision =
  /** No exchange is needed or possible: use the record as it is. */
  | { readonly do: "stop" }
  /** A spent refresh token has overwritten our newer one. */
  | { readonly do: "restore" }
  /** Another exchange is in flight. `heldUntil`: it is late, and its holder, which is alive, keeps the claim until then. */
  | { readonly do: "wait"; readonly attempt: Attempt; readonly heldUntil: number | undefined }
  /** The claim is abandoned: mark it as lost before anything else. */
  | { readonly do: "mark-lost"; readonly attempt: Attempt }
  /** It is too early for another attempt. */
  | { readonly do: "back-off"; readonly retryAt: number }
  /** The session has ended. `response`: what the server said before. */
  | {
      readonly do: "end-session";
      readonly reason: DeadReason;
      readonly digest: Digest;
      readonly response?: EndpointResponse | undefined;
    }
  | { readonly do: "claim"; readonly digest: Digest; readonly afterLoss: boolean; readonly failures: number };

/** Step 2 of the protocol: decides how to proceed with the stored record. A pure function. */
export function decide(record: SessionRecord | undefined, ctx: DecisionContext): Decision {
  if (!record || !isSameAccount(ctx.account, record)) return { do: "stop" };
  if (isOutdated(record, ctx.known)) return { do: "restore" };
  const digest = liveDigest(record, ctx.goal);
  if (digest === undefined) return { do: "stop" };
  const attempt = record.attempt?.digest === digest ? record.attempt : undefined;
  if (attempt?.status === "claimed" && ctx.attempt.isAbandoned && heldUntil(ctx) === undefined)
    return { do: "mark-lost", attempt };
  if (isSatisfied(record, ctx)) return { do: "stop" };
  if (isSpent(record)) return { do: "end-session", reason: "refresh_token_reused", digest };
  return attempt ? decideAfter(attempt, record, ctx) : { do: "claim", digest, ...FIRST };
}

/** Returns the digest of the refresh token. If the session has ended and kept it, only an explicit `refresh()` tries it. */
const liveDigest = (record: SessionRecord, { reason }: RenewalGoal): Digest | undefined =>
  record.dead && reason !== "call" ? undefined : currentDigest(record);

const FIRST = { afterLoss: false, failures: 0 };

/** Another process has already renewed the token, or a renewal by the clock is no longer due. */
const isSatisfied = ({ tokens }: SessionRecord, ctx: DecisionContext): boolean => {
  const { goal, isUsable, isDue, isInsufficient } = ctx;
  if (isInsufficient || goal.keepAlive) return !isInsufficient;
  return (tokens?.accessToken !== goal.replacing && isUsable) || (goal.reason === "clock" && !isDue);
};

function decideAfter(attempt: Attempt, record: SessionRecord, ctx: DecisionContext): Decision {
  const { digest, status, afterLoss, failures } = attempt;
  if (status === "claimed") return { do: "wait", attempt, heldUntil: heldUntil(ctx) };
  const isLost = mayHaveRotated(attempt, ctx);
  if (isLost && !canWait(ctx) && ctx.profile.afterLoss === "sign-in")
    return { do: "end-session", reason: "response_lost", digest, response: attempt.response };
  const retryAt = backOffUntil(attempt, ctx) ?? replayDeferredUntil(attempt, record, ctx);
  if (retryAt !== undefined) return { do: "back-off", retryAt };
  return { do: "claim", digest, afterLoss: afterLoss || isLost, failures };
}

/** Returns whether the access token serves the callers for now. */
const canWait = ({ isUsable, goal }: DecisionContext): boolean => isUsable && goal.reason !== "rejection";

/** A living process keeps its claim, because a second use of its refresh token may end the session. */
const heldUntil = ({ attempt, profile }: DecisionContext): number | undefined =>
  profile.rotation ? attempt.heldUntil : undefined;

/** Returns whether the server may have rotated. A reusable refresh token can be presented again without risk. */
const mayHaveRotated = ({ status, afterLoss }: Attempt, { profile }: DecisionContext): boolean =>
  (status === "lost" || afterLoss) && profile.rotation;

/**
 * Returns when the back-off ends, if it has not. If the server asked for a longer one than ours, an explicit `refresh()`
 * may probe once ours has passed.
 */
function backOffUntil({ failures, retryIn = 0 }: Attempt, { goal, now, attempt }: DecisionContext): number | undefined {
  const { retryAt } = attempt;
  const isProbe = goal.reason === "call" && now >= (retryAt ?? now) - (retryIn - maxDelay(failures));
  return isProbe ? undefined : retryAt;
}

const RETRY_INTERVAL = 60_000;

/**
 * Step 7: the server may have consumed the refresh token. Presenting it again is a risk, and unnecessary while the access
 * token is usable. Returns when to present it; `undefined` means now: the server still accepts it, or a developer who has
 * corrected the client's configuration calls `refresh()`.
 */
function replayDeferredUntil(attempt: Attempt, { tokens }: SessionRecord, ctx: DecisionContext): number | undefined {
  const isLost = mayHaveRotated(attempt, ctx);
  const isDeferred = isLost || (attempt.mayBeSpent && ctx.goal.reason === "clock");
  if (!isDeferred || !canWait(ctx) || isInGrace(attempt, ctx)) return undefined;
  return tokens?.expiresAt ?? ctx.now + RETRY_INTERVAL;
}

/** Returns whether the server still accepts the old refresh token. After a loss, its grace period began earlier. */
function isInGrace({ status, claimedAt, afterLoss }: Attempt, { profile, now }: DecisionContext): boolean {
  const isRecent = now >= claimedAt && now < claimedAt + profile.graceSeconds * 1000;
  return status === "lost" && !afterLoss && isRecent && profile.afterLoss === "retry";
}
