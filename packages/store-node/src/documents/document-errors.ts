import { ConfigurationError, StoreError } from "@unexpired/core";
import type { DocumentSnapshot } from "./document.ts";
import { reasonOf } from "./entry.ts";

/** Creates the error about a document that shows the session of another store. */
export const mirroredError = (location: string): ConfigurationError =>
  new ConfigurationError(
    `${location} shows the session of another store, as a document of mirroredStore. Name the same primary in all programs: use mirroredStore with that store here, too.`,
  );

/** Creates the error about a document that its format cannot read. */
export const unreadableError = (
  location: string,
  { status, stored, paths, overwriteVersion }: DocumentSnapshot,
): StoreError =>
  new StoreError("STORE_UNREADABLE", {
    location,
    ...reasonOf(status),
    hint: `${stored ? `The last session is still in ${paths.chain}` : "It was left unchanged"}. Repair the document, or have the user sign in and call signIn(tokens, { over: "unreadable" }), which keeps a copy of it.`,
    version: stored?.version,
    overwriteVersion,
    stored: stored && (() => stored.value),
  });
