import { ConfigurationError, StoreError } from "@unexpired/core";
import type { DocumentSnapshot } from "./document.ts";
import { reasonOf } from "./entry.ts";

/** Creates the error about a document that shows the session of another store. */
export const mirroredError = (location: string): ConfigurationError =>
  new ConfigurationError(
    `${location} shows the session of another store, as a document of mirroredStore. Name the same primary in all programs: use mirroredStore with that store here, too.`,
  );

/** Creates the error about a document that its format cannot read. */
export const unreadableError = (location: string, snapshot: DocumentSnapshot): StoreError => {
  const { status, failure, stored, paths, overwriteVersion } = snapshot;
  const { problem, cause } = failure ?? reasonOf(status);
  const where = stored ? `The last session is still in ${paths.chain}` : "It was left unchanged";
  const repair = 'Repair the document, or have the user sign in and call signIn(tokens, { over: "unreadable" })';
  return new StoreError("STORE_UNREADABLE", {
    location,
    problem,
    cause,
    hint: failure ? `${failure.hint} ${where}.` : `${where}. ${repair}, which keeps a copy of it.`,
    version: stored?.version,
    overwriteVersion,
    stored: stored && (() => stored.value),
  });
};

/** Creates the error about a save over what can be no document, such as a directory. */
export const irreplaceableError = (location: string, { problem, hint, cause }: StoreError): StoreError =>
  new StoreError("STORE_UNREADABLE", { location, problem, hint: `${hint} It cannot be replaced.`, cause });
