import type { TokenStore } from "@unexpired/core";
import { success } from "../../contract.ts";
import { canStartApart } from "../apart.ts";
import type { StoreFixture } from "../harness.ts";
import type { StoreScene } from "../scene.ts";

/** What a case takes to be run: of the store, of the harness, or of the system. */
export type Requirement = keyof typeof SKIP_REASONS;

/** One thing that a store has to do. */
export interface StoreCase {
  /** What the store does. */
  readonly name: string;
  /** Without one of these the case is skipped. */
  readonly needs: readonly Requirement[];
  /**
   * Tries it; `runCase` prepares the scene and cleans up.
   *
   * @throws ConformanceError where the store does not do it, and whatever the store throws unasked
   */
  run(scene: StoreScene): Promise<void>;
}

/** What each need says against a store that lacks it. */
const SKIP_REASONS = {
  /** Compare-and-set between stores that do not share memory. */
  sharing: ({ supports }: TokenStore) =>
    supports?.compareAndSet === "process" ? 'not promised: supports.compareAndSet is "process"' : undefined,
  watching: (store: TokenStore) => (store.watch ? undefined : "not promised: the store has no watch"),
  holders: (store: TokenStore) => (store.holder ? undefined : "not promised: the store has no holder"),
  processes: (_: TokenStore, { childProcess }: StoreFixture) =>
    childProcess ? undefined : "not told how another process opens the store: give `elsewhere`",
  damage: (_: TokenStore, { damage }: StoreFixture) =>
    damage ? undefined : "not told how to make it unreadable: give `damage`",
  wipe: (_: TokenStore, { wipe }: StoreFixture) => (wipe ? undefined : "not told how to take all away: give `wipe`"),
  signals: () => (process.platform === "win32" ? "not applicable: this system cannot stop a process" : undefined),
  namespaces: () => (canStartApart() ? undefined : "not applicable: this user cannot make a PID namespace here"),
} satisfies Record<string, (store: TokenStore, backing: StoreFixture) => string | undefined>;

/** Why a case with these needs cannot be run on a store; `undefined` where it can. */
export const reasonAgainst = (
  needs: readonly Requirement[],
  store: TokenStore,
  backing: StoreFixture,
): string | undefined => needs.map((need) => SKIP_REASONS[need](store, backing)).find((reason) => reason !== undefined);

/** Saves the first value in a place, and resolves to its version. */
export const begin = (store: TokenStore, value: string): Promise<string> =>
  success(store.save(value, undefined), "save", `save(${shown(value)}, undefined) in a place where nothing was saved`);

/** A value or a stored one, as a message shows it: cut where it is long, and in ASCII. */
export function shown(found: unknown): string {
  const text = JSON.stringify(found) ?? "undefined";
  const start = text.length > 200 ? `${text.slice(0, 60)}… (${text.length} characters)` : text;
  return start.replace(/[^ -~…]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
