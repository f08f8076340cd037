import {
  addSeed,
  addSpent,
  currentDigest,
  type Digest,
  endRecord,
  isSameAccount,
  type SessionRecord,
  type StoredClient,
  spentBy,
} from "../record/record.ts";
import type { RecordStore } from "../record/record-store.ts";
import type { TokenSet } from "../types.ts";

/** The stored record and the pending changes together. */
type Records = Pick<RecordStore, "load" | "loadReplaceable" | "loadOverwritable" | "save">;

/** The session that a sign-in starts. */
export interface NewSession {
  /** The ID of the session. */
  readonly session: string;
  readonly tokens: TokenSet;
  readonly account: string | undefined;
  /** Epoch milliseconds. */
  readonly obtainedAt: number;
  /** The origin of the token endpoint, if known. */
  readonly tokenOrigin?: string | undefined;
}

/** A sign-in or sign-out: the record that it stored or found, and the one that is stored by now. */
export interface Replacement {
  readonly record: SessionRecord | undefined;
  readonly current: SessionRecord | undefined;
}

/** The result of a sign-in. `isStored`: whether the tokens that were passed are stored. */
export interface SignInResult extends Replacement {
  readonly record: SessionRecord;
  readonly isStored: boolean;
}

interface SaveSessionOptions {
  readonly onlyIfNew: boolean;
  /** See `SignInOptions`. */
  readonly over?: "unreadable" | undefined;
  /** The ID of the claim that the sign-in ends. */
  readonly claim?: string | undefined;
  /** Whether an exchange uses the refresh token up. */
  readonly rotates: boolean;
}

/**
 * Saves a new session in place of any other. Keeps the stored session if the refresh token was exchanged before by the
 * same account's session, which is still alive. With `onlyIfNew`, keeps every live session, and never stores a refresh
 * token that is known to the record.
 */
export async function saveSession(
  records: Records,
  session: NewSession,
  { onlyIfNew, over, claim, rotates }: SaveSessionOptions,
): Promise<SignInResult> {
  let ours: SessionRecord | undefined;
  for (;;) {
    const stored = onlyIfNew ? await records.load() : await loadFor(records, over);
    const found = stored?.record && resultFor(session, stored.record, { ours, onlyIfNew });
    if (found) return found;
    const next = replacementFor(withoutClaim(stored?.record, claim), session, rotates);
    const saved = await records.save(next, stored);
    if (saved) return { ...saved, isStored: true };
    if (saved === null) ours = next;
  }
}

/** Returns the record after a sign-in that ends a claim. */
const withoutClaim = (record: SessionRecord | undefined, claim: string | undefined): SessionRecord | undefined =>
  record?.signIn && record.signIn.id === claim ? { ...record, signIn: undefined } : record;

const loadFor = (records: Records, over: "unreadable" | undefined) =>
  over ? records.loadOverwritable() : records.loadReplaceable();

interface SaveOptions {
  /** The record of an earlier save whose outcome may be unknown. */
  readonly ours: SessionRecord | undefined;
  readonly onlyIfNew: boolean;
}

/** Returns the result of a sign-in that does not save, or not again. */
function resultFor(
  session: NewSession,
  stored: SessionRecord,
  { ours, onlyIfNew }: SaveOptions,
): SignInResult | undefined {
  // An earlier save took effect after all, and another process has since refreshed, ended or replaced the session.
  if (stored.session === session.session) return { record: stored, current: stored, isStored: true };
  const isKept = onlyIfNew ? isLiveOrKnown(session, stored) : isSuperseded(session, stored);
  if (isKept) return { record: stored, current: stored, isStored: false };
  return ours && isKnown(session, stored.seeds) ? { record: ours, current: stored, isStored: true } : undefined;
}

const isLive = ({ tokens, dead }: SessionRecord, now: number): boolean =>
  tokens !== undefined &&
  !dead &&
  (tokens.refreshToken !== undefined || (tokens.expiresAt ?? Number.POSITIVE_INFINITY) > now);

const isKnown = (session: NewSession, digests: readonly (Digest | undefined)[] = []): boolean =>
  digests.includes(currentDigest(session) ?? "");

const isSuperseded = (session: NewSession, stored: SessionRecord): boolean =>
  isLive(stored, session.obtainedAt) &&
  isSameAccount(session.account, stored) &&
  isKnown(session, stored.spent) &&
  currentDigest(session) !== currentDigest(stored);

const isLiveOrKnown = (session: NewSession, stored: SessionRecord): boolean =>
  isLive(stored, session.obtainedAt) ||
  isKnown(session, [...stored.spent, ...(stored.seeds ?? []), stored.dead?.digest]);

/** With the stored refresh token, the session continues, and an exchange of it that is in flight keeps its claim. */
function replacementFor(
  stored: SessionRecord | undefined,
  { tokenOrigin, ...session }: NewSession,
  rotates: boolean,
): SessionRecord {
  const digest = currentDigest(session);
  const known = stored && rotates ? spentBy(stored) : stored?.spent;
  const spent = addSpent(known ?? [], undefined, digest);
  const client = clientOf(stored?.client, tokenOrigin);
  const next = { ...stored, schema: 1 as const, ...session, renewed: undefined, spent, client };
  if (stored && digest !== undefined && digest === currentDigest(stored))
    return { ...next, session: stored.session, dead: undefined, seeds: addSeed(stored.seeds, digest) };
  return { ...next, rotation: 0, attempt: undefined, dead: undefined, seeds: addSeed(stored?.seeds, digest, true) };
}

/** Returns the client after a sign-in with tokens from this origin, which may be unknown. */
const clientOf = (stored: StoredClient | undefined, tokenOrigin: string | undefined): StoredClient | undefined =>
  stored || tokenOrigin !== undefined ? { ...stored, tokenOrigin } : undefined;

/** The result of a sign-out: the tombstone, and the tokens that it replaced. */
export interface SignOutResult extends Replacement {
  readonly tokens: TokenSet | undefined;
}

interface SaveTombstoneOptions {
  readonly account: string | undefined;
  readonly now: number;
  /** See `SignInOptions`. */
  readonly over?: "unreadable" | undefined;
}

/** Ends the stored session, unless it belongs to another account. A sign-out wins over any concurrent operation. */
export async function saveTombstone(
  records: Records,
  { account, now, over }: SaveTombstoneOptions,
): Promise<SignOutResult> {
  for (;;) {
    const stored = await loadFor(records, over);
    const before = stored && (stored.record ?? { schema: 1, obtainedAt: now, spent: [] });
    if (!before || before.dead?.reason === "signed_out" || !isSameAccount(account, before))
      return { record: before, current: before, tokens: undefined };
    const { tokens } = before;
    const dead = { reason: "signed_out" as const, digest: currentDigest(before) };
    const record = { ...endRecord(before, dead), obtainedAt: now };
    const saved = await records.save(record, stored);
    if (saved) return { ...saved, tokens };
  }
}
