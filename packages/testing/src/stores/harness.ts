import type { TokenStore } from "@unexpired/core";

/** What a store's author says about the store, for the kit to test it. */
export interface StoreHarness {
  /** An empty place for one session, of its own: nothing that is stored elsewhere shows in it. Called for every case. */
  create(): StoreFixture | Promise<StoreFixture>;
}

/** One place for a session, and what can be done to it. */
export interface StoreFixture {
  /**
   * A store on this place, independent of the others as far as that can be: as another process would open it. A store
   * that has connections to close has `Symbol.asyncDispose`, which the kit calls when it is done with it.
   */
  open(): TokenStore | Promise<TokenStore>;
  /** How another process opens the place. Without it, nothing that takes processes is tested. */
  readonly childProcess?: StoreModule | undefined;
  /** Makes what is stored unreadable, as a disk or a careless hand would. */
  damage?(): void | Promise<void>;
  /** Takes away all that is stored, behind the stores' back. */
  wipe?(): void | Promise<void>;
  /** Removes the place, when the case is over. */
  dispose?(): void | Promise<void>;
}

/** A module that exports `openStore`, which makes a store of `argument`: {@link OpenStore}. */
export interface StoreModule {
  /** A `file:` URL or an absolute path. Node itself imports it, in a process of its own. */
  readonly module: string | URL;
  /** Plain data, as JSON has it. */
  readonly argument?: unknown;
}

/** What the module of {@link StoreModule} exports as `openStore`. */
export type OpenStore<Argument = never> = (argument: Argument) => TokenStore | Promise<TokenStore>;
