import { type SessionRecord, tryParseRecord } from "./record.ts";

/** A summary of a stored session, for people who operate a store. Contains no secrets, and nothing that identifies a token. */
export interface RecordDescription {
  /**
   * `"alive"`: there is a session. `"refreshing"`: a process has claimed a refresh. `"retrying"`: the last refresh failed, and
   * another one may succeed. `"dead"`: the user has to sign in. `"empty"`: there has been no session yet.
   */
  readonly status: "alive" | "refreshing" | "retrying" | "dead" | "empty";
  /** The `DeadReason` of a dead session, or the token endpoint's error code while a session is retried; otherwise `undefined`. */
  readonly reason: string | undefined;
  /** The expiry of the access token in epoch milliseconds; `undefined` if unknown. That of a dead session can still be used until then. */
  readonly expiresAt: number | undefined;
}

/**
 * Describes a stored string, for stores that keep something beside it that people can read: a column, a tag. Returns `undefined`
 * if the string is not a session that this release can read, for example because it is sealed.
 */
export function describeRecord(value: string): RecordDescription | undefined {
  const record = tryParseRecord(value);
  return record && { ...statusOf(record), expiresAt: record.tokens?.expiresAt };
}

function statusOf({ tokens, dead, attempt }: SessionRecord): Pick<RecordDescription, "status" | "reason"> {
  if (dead) return { status: "dead", reason: dead.reason };
  if (!tokens) return { status: "empty", reason: undefined };
  if (!attempt) return { status: "alive", reason: undefined };
  const isClaimed = attempt.status === "claimed";
  return { status: isClaimed ? "refreshing" : "retrying", reason: isClaimed ? undefined : attempt.response?.error };
}
