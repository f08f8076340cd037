import { currentDigest, endRecord, isSameAccount, type SessionRecord, spend } from "../record/record.ts";
import type { RecordStore, Stored } from "../record/record-store.ts";
import type { TokenSet } from "../types.ts";

/** A session that starts now. */
export interface NewSession {
  readonly tokens: TokenSet;
  readonly account: string | undefined;
  /** Epoch milliseconds. */
  readonly obtainedAt: number;
}

/**
 * Stores a new session in place of any other, and remembers the other's refresh token as spent. An exchange of the very
 * same refresh token that is in flight keeps its claim.
 */
export async function saveSession(records: RecordStore, session: NewSession): Promise<SessionRecord> {
  let ours: SessionRecord | undefined;
  for (;;) {
    const stored = await records.load();
    // An earlier try was stored after all, and somebody has gone on from there: with it, or with another account.
    if (stored && ours && stored.record.spent.includes(currentDigest(ours) ?? "")) {
      return isSameAccount(ours.account, stored.record) ? stored.record : ours;
    }
    ours = replacing(stored?.record, session);
    if (await records.save(ours, stored)) return ours;
  }
}

function replacing(stored: SessionRecord | undefined, session: NewSession): SessionRecord {
  const digest = currentDigest(session);
  const attempt = stored?.attempt?.digest === digest ? stored?.attempt : undefined;
  return { schema: 1, ...session, attempt, spent: spend(stored?.spent ?? [], currentDigest(stored), digest) };
}

/** What signing out left: the tombstone, and the tokens that it replaced. */
export interface SignedOut {
  readonly record: SessionRecord | undefined;
  readonly tokens: TokenSet | undefined;
}

/** Ends the stored session, unless it is another account's. Signed out wins over whatever else is going on. */
export async function saveTombstone(
  records: RecordStore,
  load: () => Promise<Stored | undefined>,
  { account, now }: { readonly account: string | undefined; readonly now: number },
): Promise<SignedOut> {
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
