import type { Clause } from "../../src/index.ts";
import type { ReferenceStore } from "../reference-store.ts";

/** A store with one fault. */
export interface Mutant {
  /** The fault: what the store does. */
  readonly name: string;
  /** The name of the case that finds it. */
  readonly caughtBy: string;
  readonly clause: Clause;
  /** A part of what the author is told. */
  readonly says: string;
  readonly Store: new (path: string) => ReferenceStore;
}
