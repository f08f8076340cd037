import {
  addSpent,
  compareRotations,
  currentDigest,
  type Digest,
  isAnotherSession,
  isEmpty,
  isOutdated,
  isSameAccount,
  isSpent,
  isSpentIn,
  replaceRecord,
  rotationOf,
  type SessionRecord,
} from "../record/record.ts";
import type { SessionEvent } from "../types.ts";

/** The result of a successful exchange: the record to store, and that whose refresh token was presented for it. */
export interface Rotation {
  readonly record: SessionRecord;
  readonly base: SessionRecord;
}

/** The part of a process's last exchange that it remembers, to recognize a late response. Servers keep it for each session. */
export interface Receipt extends Pick<SessionRecord, "session" | "rotation" | "obtainedAt"> {
  readonly accessToken: string | undefined;
  /** The refresh token that was presented, and the one that was received or kept. */
  readonly presented: Digest | undefined;
  readonly received: Digest | undefined;
}

export const receiptOf = ({ record, base }: Rotation): Receipt => ({
  session: record.session,
  rotation: record.rotation,
  obtainedAt: record.obtainedAt,
  accessToken: record.tokens?.accessToken,
  presented: currentDigest(base),
  received: currentDigest(record),
});

/** Returns whether a receipt is that of a rotation. */
export const isReceiptOf = ({ accessToken, obtainedAt }: Receipt, { record }: Rotation): boolean =>
  accessToken === record.tokens?.accessToken && obtainedAt === record.obtainedAt;

type DropReason = (SessionEvent & { type: "rotation-dropped" })["reason"];

/** Returns the record that stores the rotation in place of `stored`. */
export function recordAfter({ record, base }: Rotation, stored: SessionRecord | undefined): SessionRecord {
  const known = [...new Set([...record.spent, ...(stored?.spent ?? [])])];
  const spent = addSpent(known, currentDigest(base), currentDigest(record));
  const rotation = Math.max(rotationOf(record), rotationOf(stored) + 1);
  return replaceRecord(stored, { ...record, rotation, spent });
}

/** Returns whether an earlier save with an unknown outcome has stored the rotation. */
export const isAlreadyStored = ({ record, base }: Rotation, stored: SessionRecord | undefined): boolean =>
  hasNewToken({ record, base }) && currentDigest(stored) === currentDigest(record);

/**
 * Returns whether a rotation is a late response, after that to the presentation of the same or a later token. One that
 * brings the successor of a token that `other` kept is still needed.
 */
export function isEarlier(rotation: Rotation, other: Receipt): boolean {
  const { record, base } = rotation;
  const isSame = currentDigest(base) === other.presented;
  const wasSent = isSame && record.obtainedAt < other.obtainedAt;
  if (other.received === currentDigest(base)) return wasSent && !hasNewToken(rotation);
  return compareRotations(record, other) < 0 || wasSent || (isSame && !hasNewToken(rotation));
}

const hasNewToken = ({ record, base }: Rotation): boolean => currentDigest(record) !== currentDigest(base);

/** Returns the reason why a rotation must not replace the stored record, if there is one. */
export function dropReason(rotation: Rotation, stored: SessionRecord | undefined): DropReason | undefined {
  const { record, base } = rotation;
  if (!stored || isEmpty(stored) || stored.dead?.reason === "signed_out") return "signed_out";
  if (!isSameAccount(record.account, stored)) return "account_changed";
  const presented = currentDigest(base);
  const isOurs = currentDigest(stored) === presented || stored.dead?.digest === presented;
  return (isOurs || isOldCopy(rotation, stored)) && !isReplaced(rotation, stored) ? undefined : "superseded";
}

/** Returns whether another exchange or sign-in has replaced the access token of a reusable refresh token. */
const isReplaced = ({ record, base }: Rotation, stored: SessionRecord): boolean =>
  currentDigest(record) === currentDigest(base) &&
  stored.tokens?.accessToken !== base.tokens?.accessToken &&
  stored.obtainedAt > record.obtainedAt;

/** Returns whether an old copy has overwritten our session, and not one that had already replaced ours. */
const isOldCopy = ({ record, base }: Rotation, stored: SessionRecord): boolean => {
  if (isAnotherSession(stored, base) || isSpentIn(stored, base)) return false;
  return isOutdated(stored, { ...base, spent: record.spent }) || isSpent(stored);
};
