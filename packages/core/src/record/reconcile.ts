import { systemClock } from "../util/clock.ts";
import {
  addSeed,
  addSpent,
  compareRotations,
  currentDigest,
  isAnotherSession,
  isDerived,
  isSameAccount,
  isSpentIn,
  replaceRecord,
  type SessionRecord,
  type StoredClient,
  serializeRecord,
  spentBy,
  tryParseRecord,
} from "./record.ts";

/**
 * Decides which string is current, for stores that keep the session in two places: `stored` is under compare-and-set;
 * `external` comes from a place that other programs write to.
 *
 * Returns `stored` if `external` is older, and a merged string if `external` holds a newer or another session. If
 * `external` is not a session, returns it, and loading it then reports the error; if `stored` is not one, returns that.
 * `now` is the time in epoch milliseconds, by default that of the system.
 */
export function reconcileRecords(stored: string, external: string, now = systemClock.now()): string {
  const [current, other] = [tryParseRecord(stored), tryParseRecord(external)];
  if (!current) return stored;
  if (!other) return external;
  if (!isNewer(other, current, now)) return stored;
  const known = [...new Set([...spentBy(current), ...other.spent])];
  // What another program replaced within a session is spent; a switch to another session leaves both as they were. A
  // spent refresh token of another account is never presented: its session lasts as long as its access token.
  const spent = isSwitch(other, current)
    ? addSpent(known, undefined, undefined)
    : addSpent(known, currentDigest(current), currentDigest(other));
  const ownSeeds = other.seeds ?? addSeed([], currentDigest(other));
  const seeds = (current.seeds ?? []).reduce((known, seed) => addSeed(known, seed), ownSeeds);
  // What a later release stored about the session stays, unless the other program's copy has it, too.
  const base = isSameAccount(current.account, other) ? replaceRecord(current, other) : other;
  // An attempt to exchange a refresh token is one, whatever access token the other program has obtained with it.
  const attempt = current.attempt?.digest === currentDigest(other) ? current.attempt : undefined;
  const { primary, signIn = other.signIn } = current;
  const client = clientOf(other, current);
  return serializeRecord({ ...base, ...other, attempt, spent, seeds, primary, client, signIn });
}

/** Returns the client of the merged record. The session of another program may come from another server than ours did. */
function clientOf(other: SessionRecord, current: SessionRecord): StoredClient | undefined {
  const client = current.client ?? other.client;
  const isOurs = other.session === current.session || currentDigest(other) === currentDigest(current);
  return isOurs || client?.tokenOrigin === undefined ? client : { ...client, tokenOrigin: undefined };
}

const isSwitch = (other: SessionRecord, current: SessionRecord): boolean =>
  isAnotherSession(other, current) || !isSameAccount(current.account, other);

const isNewer = (other: SessionRecord, current: SessionRecord, now: number): boolean => {
  const order = compareRotations(other, current);
  if (order < 0 || isSignedOut(other, current)) return false;
  if (isSwitch(other, current)) return isAlternative(other, current, now);
  if (isSpentIn(current, other)) return false;
  if (order > 0) return true;
  return hasOtherToken(other, current) ? !isStale(other, current, now) : isLater(other, current, now);
};

/** Returns whether `current` is the sign-out of the session that `other` holds, which ends newer copies of it, too. */
const isSignedOut = (other: SessionRecord, { session, dead }: SessionRecord): boolean => {
  if (dead?.reason !== "signed_out") return false;
  return other.session === session || (dead.digest !== undefined && dead.digest === currentDigest(other));
};

/** Returns whether another session can replace the stored one. Its end is not the end of the stored one. */
const isAlternative = (other: SessionRecord, current: SessionRecord, now: number): boolean => {
  if (!other.tokens) return false;
  if (!isSameAccount(current.account, other)) return true;
  if (isSpentIn(current, other)) return false;
  if (other.tokens.refreshToken === undefined) return other.dead === undefined;
  return hasOtherToken(other, current) || isLater(other, current, now);
};

const hasOtherToken = (other: SessionRecord, current: SessionRecord): boolean => {
  const digest = currentDigest(other);
  return digest !== undefined && digest !== currentDigest(current);
};

/**
 * Returns whether another access token of a session is newer, or its end is. If a document does not state when a token was
 * obtained, that counts as `now` (see `recordOfFound`), which says nothing: then the expiries decide. Without refresh
 * tokens, another program's token is that of a new sign-in, unless it has expired.
 */
const isLater = (other: SessionRecord, current: SessionRecord, now: number): boolean => {
  const { tokens, obtainedAt } = other;
  if (!tokens || obtainedAt !== now) return obtainedAt > current.obtainedAt && isOtherToken(tokens, current.tokens);
  if (!isOtherToken(tokens, current.tokens)) return false;
  const { expiresAt: ours = Number.POSITIVE_INFINITY, accessToken = "", refreshToken } = current.tokens ?? {};
  if (accessToken === "" || (tokens.expiresAt ?? 0) > ours) return true;
  return tokens.refreshToken === undefined && refreshToken === undefined && !isStale(other, current, now);
};

/** Returns whether the access token is known, and another one than ours. Without tokens, a session has ended. */
const isOtherToken = (tokens: SessionRecord["tokens"], ours: SessionRecord["tokens"]): boolean =>
  tokens?.accessToken !== "" && tokens?.accessToken !== ours?.accessToken;

/**
 * Returns whether a session without a rotation number is probably an old copy: expired, and no later than ours. If ours has
 * ended, what was used up is known to be spent, and another refresh token is that of a later sign-in.
 */
const isStale = (other: SessionRecord, { tokens, dead }: SessionRecord, now: number): boolean => {
  if (!tokens || dead) return false;
  const { expiresAt = Number.POSITIVE_INFINITY } = other.tokens ?? {};
  return isDerived(other) && expiresAt <= now && expiresAt <= (tokens.expiresAt ?? Number.POSITIVE_INFINITY);
};
