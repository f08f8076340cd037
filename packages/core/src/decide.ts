import type { Cause } from "./machine.ts";
import { type Attempt, currentDigest, type Digest, type SessionRecord } from "./record.ts";
import { isSameAccount } from "./session.ts";
import type { DeadReason, ProviderProfile } from "./types.ts";

/** What a renewal is for. */
export interface Goal {
  /** The access token that is to be replaced. */
  readonly replacing: string | undefined;
  readonly because: Cause;
}

/** What a renewal knows when it looks at the stored record. */
export interface View {
  readonly goal: Goal;
  readonly account: string | undefined;
  /** Digests that this manager knows to be spent. */
  readonly spent: readonly Digest[];
  /** Whether the record's access token can be handed out. */
  readonly isUsable: boolean;
  /** Whether the record's attempt has lost its owner, or its lease is over. */
  readonly isAbandoned: boolean;
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
  | { readonly do: "wait"; readonly attempt: Attempt }
  /** Too early to try again. */
  | { readonly do: "back-off"; readonly retryAt: number }
  /** The session is over. */
  | { readonly do: "end"; readonly reason: DeadReason; readonly digest: Digest }
  | { readonly do: "claim"; readonly digest: Digest; readonly afterLoss: boolean; readonly failures: number };

/** Step 2 of the protocol: what the stored record means for us. Pure. */
export function decide(record: SessionRecord | undefined, view: View): Decision {
  if (!record?.tokens || record.dead || !isSameAccount(view.account, record)) return { do: "stop" };
  const digest = currentDigest(record);
  if (digest === undefined) return { do: "stop" };
  if (view.spent.includes(digest)) return { do: "restore" };
  if (record.tokens.accessToken !== view.goal.replacing && view.isUsable) return { do: "stop" };
  if (record.spent.includes(digest)) return { do: "end", reason: "refresh_token_reused", digest };
  return record.attempt?.digest === digest
    ? decideAfter(record.attempt, record, view)
    : { do: "claim", digest, afterLoss: false, failures: 0 };
}

function decideAfter(attempt: Attempt, record: SessionRecord, view: View): Decision {
  const { digest, status, afterLoss, failures } = attempt;
  if (status === "claimed" && !view.isAbandoned) return { do: "wait", attempt };
  const isLost = mayHaveRotated(attempt, view);
  const canWait = view.isUsable && view.goal.because !== "rejection";
  if (isLost && !canWait && view.profile.afterLoss === "sign-in") return { do: "end", reason: "answer_lost", digest };
  const retryAt = retryAtOf(attempt, view.now) ?? (isLost && canWait ? riskyUntil(attempt, record, view) : undefined);
  if (retryAt !== undefined) return { do: "back-off", retryAt };
  return { do: "claim", digest, afterLoss: afterLoss || isLost, failures };
}

/** A reusable refresh token can be presented again without risk. */
const mayHaveRotated = ({ status }: Attempt, { profile }: View): boolean => status !== "failed" && profile.rotation;

/**
 * Step 7: the server may have rotated. Presenting the token once more is a risk, and needless while the access token
 * lives, unless the server still answers the old refresh token.
 */
function riskyUntil({ claimedAt }: Attempt, { tokens }: SessionRecord, { profile, now }: View): number | undefined {
  const isInGrace = now >= claimedAt && now < claimedAt + profile.graceSeconds * 1000;
  return isInGrace && profile.afterLoss === "retry" ? undefined : (tokens?.expiresAt ?? now);
}

/** By the wall clock, so that short-lived processes back off too; a clock that stands before the failure does not count. */
const retryAtOf = ({ endedAt, retryIn }: Attempt, now: number): number | undefined =>
  endedAt !== undefined && retryIn !== undefined && now >= endedAt && now < endedAt + retryIn
    ? endedAt + retryIn
    : undefined;
