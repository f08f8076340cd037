import type { TokenStore } from "@unexpired/core";

/** Gives the kit access to the store under test. */
export interface StoreHarness {
  /**
   * Secrets with which the stores are opened, such as the password in a connection URL. None may appear in `describe()`,
   * in an error or in an inspection of a store. Default: none.
   */
  readonly secrets?: readonly string[] | undefined;
  /** Creates an empty location for one session, separate from all others. Called for every case. */
  create(): StoreFixture | Promise<StoreFixture>;
}

/** A location that stores one session, and the operations that the kit needs on it. */
export interface StoreFixture {
  /**
   * Opens a store on this location, as independent of other stores as possible: as another process would open it. A
   * store that has connections to close implements `Symbol.asyncDispose`, which the kit calls.
   */
  open(): TokenStore | Promise<TokenStore>;
  /**
   * Opens a store that differs from this location only in its key or name, in the same database, directory or server. If
   * omitted, a store that ignores its key is not detected.
   */
  openNeighbor?(): TokenStore | Promise<TokenStore>;
  /** The module with which another process opens the location. If omitted, cases with several processes are skipped. */
  readonly childProcess?: StoreModule | undefined;
  /** Makes the stored data unreadable, like a disk error or a manual edit. */
  damage?(): void | Promise<void>;
  /**
   * Makes the stored data unreadable in such a way that `signIn(tokens, { over: "unreadable" })` replaces it, and each time
   * in another way. The returned function restores the data from before the call.
   */
  damageOverwritable?(): Restore | Promise<Restore>;
  /**
   * Makes saves fail, like an unreachable server or a full disk, until the returned function is called. The stored data
   * remains.
   */
  interrupt?(): Restore | Promise<Restore>;
  /** Deletes the stored data without telling the open stores. */
  wipe?(): void | Promise<void>;
  /** Why the store cannot keep a session with a refresh token, if it cannot. The cases of such sessions are then skipped. */
  readonly withoutRefreshTokens?: string | undefined;
  /** Removes the location at the end of the case. */
  dispose?(): void | Promise<void>;
}

/** Ends an interruption of a {@link StoreFixture}, or repairs data that it damaged. */
export type Restore = () => void | Promise<void>;

/** A module that exports `openStore` ({@link OpenStore}), which creates a store from `argument`. */
export interface StoreModule {
  /** A `file:` URL or an absolute path. Node imports it in a separate process, without a test runner's transforms. */
  readonly module: string | URL;
  /** The argument of `openStore`. Must be serializable as JSON. */
  readonly argument?: unknown;
}

/** The function that the module of {@link StoreModule} exports as `openStore`. */
export type OpenStore<Argument = never> = (argument: Argument) => TokenStore | Promise<TokenStore>;
