import type { AnyFault } from "./faults.ts";
import type { WorldOptions } from "./world.ts";

/** Limits the worlds of a search to some properties and faults, which then occur often. */
export interface Focus {
  readonly world?: Partial<WorldOptions>;
  readonly faults?: readonly AnyFault[];
}
