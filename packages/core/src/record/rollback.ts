import {
  type Attempt,
  currentDigest,
  type Digest,
  digestOf,
  endRecord,
  isAnotherSession,
  isDerived,
  isOutdated,
  keyOf,
  replaceRecord,
  type SessionRecord,
} from "./record.ts";
import type { Replaceable, Stored } from "./record-store.ts";

const KEPT = 16;

const idOf = (version: string): Digest => digestOf(version).slice(0, 8);

/** Returns the versions that a record replaces if it is saved over `expected`, limited to the newest. */
export const extendPast = ({ past = [] }: SessionRecord, expected: Replaceable | undefined): readonly Digest[] => {
  const replaced = expected ? [...(expected.record?.past ?? []), idOf(expected.version)] : [];
  return [...new Set([...past, ...replaced])].slice(-KEPT);
};

/** Returns whether a stored record is known to have replaced a version. */
export const hasReplaced = (known: Stored | undefined, { version }: Pick<Stored, "version">): boolean =>
  known?.record.past?.includes(idOf(version)) === true;

/**
 * Returns the record to save in place of `found` if a failover of the store has undone `known`: directly, so that a version
 * is back that `known` has replaced, or in a version that another process has saved since. What the other process may have
 * decided on purpose stays: above all a sign-out, and a new sign-in.
 */
export function restorationOf(found: Stored, known: Stored | undefined): SessionRecord | undefined {
  if (!known || found.version === known.version) return undefined;
  const restored = hasReplaced(known, found) ? known.record : restorationAfterSave(found.record, known);
  return restored && { ...restored, past: extendPast(known.record, known) };
}

function restorationAfterSave(found: SessionRecord, known: Stored): SessionRecord | undefined {
  const { record } = known;
  if (found.dead?.reason === "signed_out") return undefined;
  if (isSignOutOf(found, record)) return signOutAgain(found, record);
  if (isOutdated(found, record)) return putBack(record, found);
  if (!hasLost(found, known)) return undefined;
  if (isReplacedBy(found, record)) return putBack(record, found);
  return isClaimLost(found, record.attempt) ? { ...found, attempt: record.attempt } : undefined;
}

/** Returns whether `known` is the sign-out of the session that `found` holds. */
const isSignOutOf = (found: SessionRecord, known: SessionRecord): boolean =>
  known.dead?.reason === "signed_out" && found.session === known.session && !isDerived(found);

const signOutAgain = (found: SessionRecord, { dead, obtainedAt }: SessionRecord): SessionRecord => ({
  ...endRecord(found, { reason: "signed_out", ...dead, digest: currentDigest(found) }),
  obtainedAt,
});

/** Returns whether `found` goes back to what `known` has replaced, and does not follow on `known`. */
const hasLost = ({ past = [] }: SessionRecord, { record, version }: Stored): boolean =>
  past.some((each) => record.past?.includes(each)) && !past.includes(idOf(version));

/** Returns whether the sign-in that began the session of `known` has replaced the session of `found`. */
const isReplacedBy = (found: SessionRecord, known: SessionRecord): boolean => {
  const [[older], [newer, ...replaced]] = [found.seeds ?? [], known.seeds ?? []];
  if (!isAnotherSession(found, known) || older === undefined || newer === undefined) return false;
  return replaced.includes(older) && !found.seeds?.includes(newer);
};

/** Returns whether a claim is missing that may have an exchange in flight, or an attempt whose response was lost. */
function isClaimLost(found: SessionRecord, attempt: Attempt | undefined): boolean {
  if (!attempt || attempt.status === "failed" || attempt.digest !== currentDigest(found)) return false;
  const current = found.attempt?.digest === attempt.digest ? found.attempt : undefined;
  return current === undefined || (current.status === "failed" && keyOf(current) !== keyOf(attempt));
}

/** Returns our record as it is saved in place of an older one, with the used refresh tokens that either lists. */
export function putBack(record: SessionRecord, found: SessionRecord | undefined): SessionRecord {
  const spent = [...new Set([...(found?.spent ?? []), ...record.spent])];
  const attempts = [found?.attempt, record.attempt]; // our own exchange may be in flight
  const attempt = attempts.find((each) => each?.digest === currentDigest(record));
  return replaceRecord(found, { ...record, attempt, spent });
}
