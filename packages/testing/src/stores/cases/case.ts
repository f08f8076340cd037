import { type TokenStore, UnexpiredError } from "@unexpired/core";
import { type Clause, ConformanceError, expectSuccess } from "../../contract.ts";
import type { StoreFixture } from "../harness.ts";
import { canCreatePidNamespace } from "../pid-namespace.ts";
import type { StoreScene } from "../scene.ts";

/** A feature of the store, the harness or the system that a case requires. */
export type Requirement = keyof typeof SKIP_REASONS;

/** One requirement of the store contract. */
export interface StoreCase {
  /** The required behavior: completes "it …". */
  readonly name: string;
  /** The case is skipped unless all of these are available. */
  readonly needs: readonly Requirement[];
  /**
   * Checks the requirement. `runCase` prepares the scene and cleans up.
   *
   * @throws ConformanceError if the store violates the contract. Unexpected errors of the store pass through.
   */
  run(scene: StoreScene): Promise<void>;
}

/** For each requirement, the reason for skipping a case, or `undefined` if the requirement is met. */
const SKIP_REASONS = {
  /** Compare-and-set between store objects that do not share memory. */
  sharing: ({ supports }: TokenStore) =>
    supports?.compareAndSet === "process" ? 'not promised: supports.compareAndSet is "process"' : undefined,
  watching: (store: TokenStore) => (store.watch ? undefined : "not promised: the store has no watch"),
  holders: (store: TokenStore) => (store.holder ? undefined : "not promised: the store has no holder"),
  processes: (_: TokenStore, { childProcess }: StoreFixture) =>
    childProcess ? undefined : "not testable: the harness has no `childProcess`",
  neighbor: (_: TokenStore, { openNeighbor }: StoreFixture) =>
    openNeighbor ? undefined : "not testable: the harness has no `openNeighbor`",
  interrupt: (_: TokenStore, { interrupt }: StoreFixture) =>
    interrupt ? undefined : "not testable: the harness has no `interrupt`",
  damage: (_: TokenStore, { damage }: StoreFixture) =>
    damage ? undefined : "not testable: the harness has no `damage`",
  overwriting: (_: TokenStore, { damageOverwritable }: StoreFixture) =>
    damageOverwritable ? undefined : "not testable: the harness has no `damageOverwritable`",
  refreshTokens: (_: TokenStore, { withoutRefreshTokens: reason }: StoreFixture) =>
    reason && `not applicable: ${reason}`,
  wipe: (_: TokenStore, { wipe }: StoreFixture) => (wipe ? undefined : "not testable: the harness has no `wipe`"),
  signals: () => (process.platform === "win32" ? "not applicable: this system cannot stop a process" : undefined),
  namespaces: () => (canCreatePidNamespace() ? undefined : "not applicable: this user cannot create a PID namespace"),
} satisfies Record<string, (store: TokenStore, backing: StoreFixture) => string | undefined>;

/** Returns the reason for skipping a case with these requirements, or `undefined` if it can run. */
export const skipReason = (
  needs: readonly Requirement[],
  store: TokenStore,
  backing: StoreFixture,
): string | undefined => needs.map((need) => SKIP_REASONS[need](store, backing)).find((reason) => reason !== undefined);

/** Saves the first value in a location. Resolves to its version. */
export const saveFirst = (store: TokenStore, value: string): Promise<string> =>
  expectSuccess(store.save(value, undefined), "save", `save(${shown(value)}, undefined) in an empty location`);

/** Expects an error of the store about a failure: no conflict, and no error without a location and a hint. */
export function expectStoreError(error: unknown, clause: Clause, call: string): void {
  const isStoreError =
    UnexpiredError.is(error) && (error.code === "STORE_UNREADABLE" || error.code === "STORE_UNAVAILABLE");
  if (isStoreError) return;
  const what = `${call} rejected with something other than a StoreError: ${String(error)}`;
  throw new ConformanceError(clause, what, { cause: error });
}

/** Formats a value for a message: long values are cut, and non-ASCII characters are escaped. */
export function shown(found: unknown): string {
  const text = JSON.stringify(found) ?? "undefined";
  const start = text.length > 200 ? `${text.slice(0, 60)}… (${text.length} characters)` : text;
  return start.replace(/[^ -~…]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
