import { StoreError } from "@unexpired/core";

const HINT = "Correct the document, or the options of its format. The document is unchanged.";

/**
 * Creates the error about a document that a format cannot read. `location` is a place in the document, and `problem` a
 * clause about it. Neither may contain a value.
 */
export const unreadable = (
  location: string,
  problem: string,
  { cause }: { readonly cause?: unknown } = {},
): StoreError => new StoreError("STORE_UNREADABLE", { location, problem, hint: HINT, cause });
