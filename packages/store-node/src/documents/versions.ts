import { StoreConflictError } from "@unexpired/core";
import type { DocumentSnapshot } from "./document.ts";

/** @throws StoreConflictError if a document holds another version of the session */
export function assertVersion(snapshot: DocumentSnapshot, expected: string | undefined, location: string): void {
  const isCurrent = snapshot.stored?.version === expected;
  if (!isCurrent && emptiedVersion(snapshot) !== expected) throw new StoreConflictError(location);
}

/** Returns the version that a sign-out of another program replaces: that of the session, in this empty document. */
export function emptiedVersion({ status, stored, stamp }: DocumentSnapshot): string | undefined {
  if (status.kind !== "emptied") return stored?.version;
  return `${stored?.version}-${stamp?.fileId}-${stamp?.modified}-${stamp?.size}`;
}
