import {
  type Attempt,
  currentDigest,
  type Digest,
  isOutdated,
  isSameAccount,
  type SessionRecord,
} from "../record/record.ts";
import type { DeadReason, ProviderProfile, TokenSet } from "../types.ts";
import type { Judgement } from "./attempt-tracker.ts";
import type { RenewalGoal } from "./renewal.ts";

/** What a renewal knows when it looks at the stored record. */
export interface View {
  readonly goal: RenewalGoal;
  readonly account: string | undefined;
  /** The record as this manager knows it. */
  readonly known: SessionRecord | undefined;
  /** Whether the record's access token can be handed out. */
  readonly isUsable: boolean;
  /** Whether the clock says that it should be renewed. */
  readonly isDue: boolean;
  /** What is to be thought of the record's attempt. */
  readonly attempt: Judgement;
  readonly profile: ProviderProfile;
  /** Epoch milliseconds. */
  readonly now: number;
}

export type Decision =
  /** Nothing to exchange: the record holds what we need, or what there is. */
  | { readonly do: "stop" }
  /** A spent refresh token was put back over ours. */
  | { readonly do: "restore" }
  /** Somebody else's exchange is in flight. */
  | { readonly do: "wait" }
  /** Nobody will answer for this claim any more: record it as lost, before anything else. */
  | { readonly do: "lose"; readonly attempt: Attempt }
  /** Too early to try again. */
  | { readonly do: "back-off"; readonly retryAt: number; readonly attempt: Attempt }
  /** The session is over. */
  | { readonly do: "end"; readonly reason: DeadReason; readonly digest: Digest }
  | { readonly do: "claim"; readonly digest: Digest; readonly afterLoss: boolean; readonly failures: number };

/** Step 2 of the protocol: what the stored record means for us. Pure. */
export function decide(record: SessionRecord | undefined, view: View): Decision {
  if (!record?.tokens || record.dead || !isSameAccount(view.account, record)) return { do: "stop" };
  const digest = currentDigest(record);
  if (digest === undefined) return { do: "stop" };
  if (isRestorable(record, view)) return { do: "restore" };
  const attempt = record.attempt?.digest === digest ? record.attempt : undefined;
  if (attempt?.status === "claimed" && view.attempt.isAbandoned) return { do: "lose", attempt };
  if (isGoodEnough(record.tokens, view)) return { do: "stop" };
  if (record.spent.includes(digest)) return { do: "end", reason: "refresh_token_reused", digest };
  return attempt ? decideAfter(attempt, record, view) : { do: "claim", digest, ...FIRST };
}

const FIRST = { afterLoss: false, failures: 0 };

/** Ours is newer, and not itself spent as far as the stored record knows. */
const isRestorable = (record: SessionRecord, { known }: View): boolean =>
  isOutdated(record, known) && !record.spent.includes(currentDigest(known) ?? "");

/** Somebody else has renewed it, or the clock had no reason to ask. */
const isGoodEnough = ({ accessToken }: TokenSet, { goal, isUsable, isDue }: View): boolean =>
  (accessToken !== goal.replacing && isUsable) || (goal.because === "clock" && !isDue);

function decideAfter(attempt: Attempt, record: SessionRecord, view: View): Decision {
  const { digest, status, afterLoss, failures } = attempt;
  if (status === "claimed") return { do: "wait" };
  const isLost = mayHaveRotated(attempt, view);
  const canWait = view.isUsable && view.goal.because !== "rejection";
  if (isLost && !canWait && view.profile.afterLoss === "sign-in") return { do: "end", reason: "answer_lost", digest };
  const retryAt = view.attempt.retryAt ?? (isLost && canWait ? riskyUntil(attempt, record, view) : undefined);
  if (retryAt !== undefined) return { do: "back-off", retryAt, attempt };
  return { do: "claim", digest, afterLoss: afterLoss || isLost, failures };
}

/** A reusable refresh token can be presented again without risk. */
const mayHaveRotated = ({ status, afterLoss }: Attempt, { profile }: View): boolean =>
  (status === "lost" || afterLoss) && profile.rotation;

const ASK_AGAIN = 60_000;

/**
 * Step 7: the server may have rotated. Presenting the token once more is a risk, and needless while the access token
 * lives, unless the server still answers the old refresh token.
 */
function riskyUntil(attempt: Attempt, { tokens }: SessionRecord, { profile, now }: View): number | undefined {
  const { claimedAt, afterLoss } = attempt; // after a loss the grace began with an earlier attempt
  const isInGrace = !afterLoss && now >= claimedAt && now < claimedAt + profile.graceSeconds * 1000;
  return isInGrace && profile.afterLoss === "retry" ? undefined : (tokens?.expiresAt ?? now + ASK_AGAIN);
}
