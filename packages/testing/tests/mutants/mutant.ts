import type { MutantInfo } from "../describe-mutants.ts";
import type { ReferenceStore } from "../reference-store.ts";

/** A store with one fault. */
export interface Mutant extends MutantInfo {
  readonly Store: new (path: string) => ReferenceStore;
}
