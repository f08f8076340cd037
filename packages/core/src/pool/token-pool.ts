import * as z from "zod/mini";
import { memoryStore } from "../stores/memory-store.ts";
import type {
  Clock,
  GetTokenOptions,
  NamedTokenSource,
  RejectionOptions,
  SessionEvent,
  TokenSource,
  TokenStore,
} from "../types.ts";
import { checkOptions, type OptionTable } from "../util/check-options.ts";
import { completeClock } from "../util/clock.ts";
import { clockOption } from "../util/clock-option.ts";
import { describeType } from "../util/describe-type.ts";
import { hideResult } from "../util/inspect.ts";
import { storeOption } from "../util/store-option.ts";
import { assertTokenSource, SOURCE_STATUS, type SourceStatus } from "../util/token-source.ts";
import { LONGEST } from "./cooldown-list.ts";
import { Entry } from "./entry.ts";
import { Selection } from "./selection.ts";
import type { PoolStatus } from "./status.ts";

/** Options of {@link createTokenPool}. */
export interface TokenPoolOptions {
  /**
   * Keeps the cooldowns of the entries, for all processes that use the same store: one of its own, not that of a session.
   * Default: `memoryStore()`, which other processes do not see. If it fails, the pool goes on with the cooldowns that this
   * process knows, and `why()` tells the reason.
   */
  readonly cooldowns?: TokenStore | undefined;
  /**
   * `"round-robin"`: each call gets the token of the next entry, so that the load is spread. `"fill-first"`: that of the first
   * available one, in the order given, for accounts that are not alike, and for APIs that cache prompts for each account.
   * Default `"round-robin"`.
   */
  readonly strategy?: "round-robin" | "fill-first" | undefined;
  /**
   * How long an entry is put aside after a 402 without `Retry-After`, in milliseconds, up to 24 hours: its quota may be renewed
   * within the hour, or only the next day. Default 3,600,000.
   */
  readonly cooldownAfter402?: number | undefined;
  /** The time, for tests. Default: the system clock. */
  readonly clock?: Partial<Clock> | undefined;
}

/** The source that {@link createTokenPool} creates. */
export interface TokenPool extends NamedTokenSource, AsyncDisposable {
  /**
   * Returns the tokens of an available entry. `minValidity` applies to entries that are token managers.
   *
   * @throws RefreshFailedError with `reason: "exhausted"` if all entries are put aside; `retryAt` says until when
   * @throws SignInRequiredError if every entry needs a sign-in
   * @throws another error of an entry, if none of them can say when to try again
   */
  getTokenSet(options?: GetTokenOptions): ReturnType<NamedTokenSource["getTokenSet"]>;
  /** Returns the access token, in the same way as {@link TokenPool.getTokenSet}. */
  getAccessToken(options?: GetTokenOptions): Promise<string>;
  /** Returns `true` for 401, 402 and 429. */
  isRejection(status: number): boolean;
  /**
   * Returns the name of the entry that served last, if it is still available; otherwise that of the first one that is, as far
   * as is known without waiting. Returns `undefined` if no entry is available.
   */
  source(): string | undefined;
  /** Calls `listener` on the events of all entries and of the pool, until the returned function is called. */
  subscribe(listener: (event: SessionEvent) => void): () => void;
  /** Returns which entries are available, and why the others are not. Loads what has not been loaded yet; never refreshes. */
  why(): Promise<PoolStatus>;
  /**
   * Stops watching the cooldowns, and waits up to 2 seconds for one that is being saved. Leaves the entries open. Later calls
   * reject with a `TypeError`.
   */
  close(): Promise<void>;
}

/**
 * Creates a source that spreads work over several sessions. `sources` names them: the names appear in errors and in
 * `source()`, and identify the entries to other processes. A token that a server rejects puts its entry aside, and the
 * request is retried once with another entry:
 *
 * - 429: for as long as `Retry-After` says, from 1 second to 24 hours; without it, for 1 minute.
 * - 402: likewise; without `Retry-After`, for `cooldownAfter402`.
 * - 401: only if the entry cannot renew the token. Until it has another one, or its error's `retryAt`.
 *
 * A sign-in to the entry's session ends all of that at once, also one of another process or program; a refresh of this library
 * only what is due to a 401. Of an entry that is not a token manager, another refresh token counts as a sign-in, or another access
 * token if it has none. An entry that needs a sign-in, or fails, is passed over.
 *
 * @throws TypeError if there are no sources, one of them is not a token source, or an option is invalid
 */
export function createTokenPool(
  sources: Readonly<Record<string, TokenSource>>,
  options: TokenPoolOptions = {},
): TokenPool {
  const given = checkOptions("createTokenPool", optionTable, options);
  const clock = completeClock(given.clock ?? {});
  return new Pool(
    new Selection(toEntries(sources, clock), {
      store: given.cooldowns ?? memoryStore(),
      clock,
      isSpread: given.strategy !== "fill-first",
      cooldownAfter402: given.cooldownAfter402 ?? DEFAULT_AFTER_402,
    }),
  );
}

const DEFAULT_AFTER_402 = 60 * 60_000;
const MAX_NAME_LENGTH = 200;

const optionTable = {
  cooldowns: storeOption,
  strategy: [z.enum(["round-robin", "fill-first"]), '"round-robin" or "fill-first"'],
  cooldownAfter402: [z.number().check(z.gt(0), z.lte(LONGEST)), "milliseconds above 0, at most 24 hours"],
  clock: clockOption,
} as const satisfies OptionTable & Record<keyof TokenPoolOptions, unknown>;

function toEntries(sources: Readonly<Record<string, TokenSource>>, clock: Clock): readonly Entry[] {
  if (typeof sources !== "object" || sources === null || Array.isArray(sources))
    throw new TypeError(`sources: expected an object of named token sources, not ${describeType(sources)}.`);
  const named = Object.entries(sources);
  if (named.length === 0) throw new TypeError("createTokenPool: expected at least one token source.");
  return named.map(([name, source]) => {
    if (name === "" || name.length > MAX_NAME_LENGTH)
      throw new TypeError(`sources: expected names of 1 to ${MAX_NAME_LENGTH} characters.`);
    assertTokenSource(source, `sources.${name}`);
    return new Entry(name, source, clock);
  });
}

class Pool implements TokenPool {
  readonly #selection: Selection;

  constructor(selection: Selection) {
    this.#selection = selection;
  }

  getTokenSet(options?: GetTokenOptions): ReturnType<TokenPool["getTokenSet"]> {
    return this.#selection.select(options);
  }

  getAccessToken(options?: GetTokenOptions): Promise<string> {
    return hideResult(this.getTokenSet(options).then(({ accessToken }) => accessToken));
  }

  replaceRejected(accessToken: string, options?: RejectionOptions): Promise<string> {
    if (typeof accessToken === "string") return hideResult(this.#selection.replace(accessToken, options));
    return Promise.reject(new TypeError(`accessToken: expected a string, not ${describeType(accessToken)}.`));
  }

  isRejection(status: number): boolean {
    return status === 401 || status === 402 || status === 429;
  }

  source(): string | undefined {
    return this.#selection.source();
  }

  get [SOURCE_STATUS](): SourceStatus {
    return this.#selection.isClosed ? "closed" : "open";
  }

  subscribe(listener: (event: SessionEvent) => void): () => void {
    if (typeof listener !== "function")
      throw new TypeError(`listener: expected a function, not ${describeType(listener)}.`);
    return this.#selection.subscribe(listener);
  }

  async why(): Promise<PoolStatus> {
    return this.#selection.why();
  }

  close(): Promise<void> {
    return this.#selection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
