import { isOfAccount, withSpent } from "@unexpired/core/session-record";
import type { Look, Mirror } from "./mirror.ts";
import type { MirrorStatus } from "./mirror-status.ts";

/** A mirror and how it was found. */
export interface Seen {
  readonly mirror: Mirror;
  readonly look: Look;
}

/** The record that is saved to the primary because of what the documents hold. */
interface Adoption {
  /** The record; the one of the primary if there is nothing to adopt. */
  readonly value: string | undefined;
  /** The documents with sessions of this account, which are old from the save on. */
  readonly known: readonly Seen[];
}

type Foreign = MirrorStatus & { readonly kind: "foreign" };

/**
 * Returns the record of the session that another program put into a document. Of several, the one that expires last counts.
 * The others are spent in the same record, and so is an old copy in a document that has never shown the session. A pure
 * function.
 */
export function adoptionOf(value: string | undefined, seen: readonly Seen[]): Adoption {
  const found = seen.filter(({ look }) => look.status.kind === "foreign");
  const [latest] = found.map(({ look }) => look.status as Foreign).sort((a, b) => b.expiresAt - a.expiresAt);
  const base = latest?.value ?? value;
  if (base === undefined) return { value, known: [] };
  const known = found.filter(({ look: { copy } }) => copy && isOfAccount(base, copy.session));
  const old = seen.filter(({ look: { status } }) => status.kind === "stale" && status.isOld);
  const copies = [...known, ...old].flatMap(({ look }) => look.copy?.record ?? []);
  return { value: withSpent(base, copies), known };
}
