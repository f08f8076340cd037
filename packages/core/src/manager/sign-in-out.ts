import { addSpent, currentDigest, endRecord, isSameAccount, type SessionRecord } from "../record/record.ts";
import type { RecordStore, Stored } from "../record/record-store.ts";
import type { TokenSet } from "../types.ts";

/** The session that a sign-in starts. */
export interface NewSession {
  readonly tokens: TokenSet;
  readonly account: string | undefined;
  /** Epoch milliseconds. */
  readonly obtainedAt: number;
}

/**
 * Saves a new session in place of any other, and records the other's refresh token as spent. If an exchange of the same
 * refresh token is in flight, it keeps its claim.
 */
export async function saveSession(records: RecordStore, session: NewSession): Promise<SessionRecord> {
  let ours: SessionRecord | undefined;
  for (;;) {
    const stored = await records.load();
    // An earlier save took effect after all, and another process has since refreshed it or signed in another account.
    if (stored && ours && stored.record.spent.includes(currentDigest(ours) ?? "")) {
      return isSameAccount(ours.account, stored.record) ? stored.record : ours;
    }
    ours = replacementFor(stored?.record, session);
    if (await records.save(ours, stored)) return ours;
  }
}

function replacementFor(stored: SessionRecord | undefined, session: NewSession): SessionRecord {
  const digest = currentDigest(session);
  const attempt = stored?.attempt?.digest === digest ? stored?.attempt : undefined;
  return { schema: 1, ...session, attempt, spent: addSpent(stored?.spent ?? [], currentDigest(stored), digest) };
}

/** The result of a sign-out: the tombstone, and the tokens that it replaced. */
export interface SignOutResult {
  readonly record: SessionRecord | undefined;
  readonly tokens: TokenSet | undefined;
}

/** Ends the stored session, unless it belongs to another account. A sign-out wins over any concurrent operation. */
export async function saveTombstone(
  records: RecordStore,
  load: () => Promise<Stored | undefined>,
  { account, now }: { readonly account: string | undefined; readonly now: number },
): Promise<SignOutResult> {
  for (;;) {
    const stored = await load();
    const isOver = stored?.record.dead?.reason === "signed_out";
    if (!stored || isOver || !isSameAccount(account, stored.record))
      return { record: stored?.record, tokens: undefined };
    const { tokens } = stored.record;
    const dead = { reason: "signed_out" as const, digest: currentDigest(stored.record) };
    const record = { ...endRecord(stored.record, dead), obtainedAt: now };
    if (await records.save(record, stored)) return { record, tokens };
  }
}
