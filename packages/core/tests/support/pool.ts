import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import {
  createTokenManager,
  createTokenPool,
  memoryStore,
  type RejectingResponse,
  type SessionEvent,
  type TokenManager,
  type TokenPoolOptions,
  type TokenStore,
} from "../../src/index.ts";

const HOUR = 3_600_000;

/** The access token of an account, after so many sign-ins and refreshes. */
export const tokenOf = (account: string, generation = 1) => canary("access", `${account}${generation}`);

/** A response that rejects a token. */
export const rejection = (status: number, headers: Record<string, string> = {}): RejectingResponse => ({
  status,
  headers: new Headers(headers),
});

/** The session of one account, in a store of its own. Each manager over it stands for a process. */
class Account {
  readonly name: string;
  readonly store: TokenStore;
  readonly #clock: VirtualClock;
  generation = 0;
  /** The error of the next exchange. */
  failure: Error | undefined;
  exchanges = 0;

  constructor(name: string, clock: VirtualClock, store: TokenStore = memoryStore()) {
    this.name = name;
    this.#clock = clock;
    this.store = store;
  }

  #tokens() {
    const name = `${this.name}${++this.generation}`;
    return { accessToken: canary("access", name), refreshToken: canary("refresh", name) };
  }

  open(): TokenManager {
    return createTokenManager({
      store: this.store,
      clock: this.#clock,
      refresh: async () => {
        this.exchanges++;
        if (this.failure) throw this.failure;
        return { ...this.#tokens(), expiresAt: this.#clock.now() + HOUR };
      },
    });
  }

  /** Signs in with tokens of an hour, in another process. */
  async signIn(): Promise<void> {
    await this.open().signIn({ ...this.#tokens(), expiresAt: this.#clock.now() + HOUR });
  }
}

/** Accounts that are signed in, and pools over them: each stands for a process. */
export async function startPools<Name extends string>(...names: readonly Name[]) {
  const clock = new VirtualClock();
  const cooldowns = memoryStore();
  const accounts = Object.fromEntries(names.map((name) => [name, new Account(name, clock)])) as Record<Name, Account>;
  for (const name of names) await accounts[name].signIn();
  const events: SessionEvent[] = [];
  const open = (options: TokenPoolOptions = {}) => {
    const managers = Object.fromEntries(names.map((name) => [name, accounts[name].open()])) as Record<
      Name,
      TokenManager
    >;
    const pool = createTokenPool(managers, { cooldowns, clock, ...options });
    pool.subscribe((event) => events.push(event));
    return { pool, managers };
  };
  return { clock, cooldowns, accounts, events, open };
}

/** The error that a promise rejects with. */
export const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => Promise.reject(new Error("did not reject")),
    (error: unknown) => error,
  );
