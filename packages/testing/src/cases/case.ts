import type { TokenStore } from "@unexpired/core";
import type { Backing } from "../harness.ts";
import type { Scene } from "../scene.ts";
import { hasNamespaces } from "./namespaces.ts";

/** What a case takes to be run. */
export type Need = keyof typeof MISSING;

/** One thing that a store has to do. */
export interface StoreCase {
  readonly name: string;
  readonly needs: readonly Need[];
  /** Throws a `ConformanceError` where the store does not do it. */
  run(scene: Scene): Promise<void>;
}

/** What each need says against a store that lacks it. */
const MISSING = {
  /** Compare-and-set between stores that do not share memory. */
  sharing: ({ supports: { compareAndSet } }: TokenStore) =>
    compareAndSet === "process" ? 'not promised: supports.compareAndSet is "process"' : undefined,
  watching: (store: TokenStore) => (store.watch ? undefined : "not promised: the store has no watch"),
  holders: (store: TokenStore) => (store.holder ? undefined : "not promised: the store has no holder"),
  processes: (_: TokenStore, { elsewhere }: Backing) =>
    elsewhere ? undefined : "not told how another process opens the store: give `elsewhere`",
  damage: (_: TokenStore, { damage }: Backing) =>
    damage ? undefined : "not told how to make it unreadable: give `damage`",
  wipe: (_: TokenStore, { wipe }: Backing) => (wipe ? undefined : "not told how to take all away: give `wipe`"),
  signals: () => (process.platform === "win32" ? "not applicable: this system cannot stop a process" : undefined),
  namespaces: () => (hasNamespaces() ? undefined : "not applicable: this user cannot make a PID namespace here"),
} satisfies Record<string, (store: TokenStore, backing: Backing) => string | undefined>;

/** Why a case with these needs cannot be run on a store; `undefined` where it can. */
export const reasonAgainst = (needs: readonly Need[], store: TokenStore, backing: Backing): string | undefined =>
  needs.map((need) => MISSING[need](store, backing)).find((reason) => reason !== undefined);
