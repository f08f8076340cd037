import type { MutantInfo } from "../describe-mutants.ts";
import type { ReferenceStore } from "../reference-store.ts";

/** A store with one fault. */
export interface Mutant extends MutantInfo {
  /** The time limit of an operation, in milliseconds. Default: that of the kit. */
  readonly timeout?: number;
  readonly Store: new (path: string, name?: string) => ReferenceStore;
}
