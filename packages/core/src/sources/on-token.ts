import * as z from "zod/mini";
import { UnexpiredError } from "../errors.ts";
import type { Clock, SessionEvent, TokenSet, TokenSource } from "../types.ts";
import { checkOptions, type OptionTable } from "../util/check-options.ts";
import { completeClock, type Moment, momentOf } from "../util/clock.ts";
import { clockOption } from "../util/clock-option.ts";
import { describeType } from "../util/describe-type.ts";
import { Listeners } from "../util/listeners.ts";
import { assertTokenSource, isClosed, requestTokens } from "../util/token-source.ts";

/** Options of {@link onToken}. */
export interface OnTokenOptions {
  /**
   * Whether to renew the token before it expires, even if nothing else uses it, and to look for a new one as long as there
   * is no token. Uses a timer that does not keep the process alive, looks at the clock every minute, and at the token every 24
   * hours at least. After a sleep of the machine, it renews the token within a minute. Ends when the token manager is closed.
   * Default `false`: `callback` learns of the tokens that other calls obtain.
   */
  readonly keepFresh?: boolean | undefined;
  /** Time and timers, for tests. Omitted members use the system clock. */
  readonly clock?: Partial<Clock> | undefined;
}

/**
 * Calls `callback` with the access token as soon as it is known, and again whenever another one replaces it; with
 * `undefined` once the user has to sign in, as after a sign-out. For what keeps a token of its own: `process.env`, child
 * processes, long-lived connections. Exceptions of `callback`, even asynchronous ones, are ignored, and it is not waited
 * for.
 *
 * A failure, such as that of a token endpoint that is down, calls nothing: the last token stays the latest. Changes are
 * noticed through the `subscribe` of the source; of a source without it, such as `envToken`, only with `keepFresh`.
 *
 * @returns a function that ends the calls
 * @throws TypeError if an argument or an option is invalid
 */
export function onToken(
  tokens: TokenSource,
  callback: (accessToken: string | undefined) => unknown,
  options: OnTokenOptions = {},
): () => void {
  assertTokenSource(tokens, "tokens");
  if (typeof callback !== "function")
    throw new TypeError(`callback: expected a function, not ${describeType(callback)}.`);
  const { keepFresh = false, clock = {} } = checkOptions("onToken", optionTable, options);
  const follower = new Follower(tokens, callback, { keepFresh, clock: completeClock(clock) });
  follower.start();
  return () => follower.stop();
}

const optionTable = {
  keepFresh: [z.boolean(), "true or false"],
  clock: clockOption,
} as const satisfies OptionTable & Record<keyof OnTokenOptions, unknown>;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const RETRY = MINUTE;
const LONGEST_WAIT = 24 * 60 * MINUTE;
const LONGEST_LEAD = 5 * MINUTE;

type Settings = { readonly keepFresh: boolean; readonly clock: Clock };

/** Reads the token whenever it may have changed, and passes on those that differ from the last. */
class Follower {
  readonly #tokens: TokenSource;
  readonly #listeners = new Listeners<[string | undefined]>();
  readonly #settings: Settings;
  readonly #stopped = new AbortController();
  #stopEvents: (() => void) | undefined;
  #cancelTimer = () => {};
  /** The number of reads that were started, and that of the latest one that has settled. */
  #reads = 0;
  #settled = 0;
  #failures = 0;
  #latest: string | undefined;
  /** How long before its expiry the latest token is renewed, in milliseconds. */
  #lead = 0;

  constructor(tokens: TokenSource, callback: (accessToken: string | undefined) => unknown, settings: Settings) {
    this.#tokens = tokens;
    this.#listeners.add(callback);
    this.#settings = settings;
  }

  start(): void {
    this.#stopEvents = this.#tokens.subscribe?.((event) => this.#onEvent(event));
    this.#read();
  }

  stop(): void {
    this.#stopped.abort();
    this.#cancelTimer();
    this.#stopEvents?.();
  }

  #onEvent(event: SessionEvent): void {
    if (this.#stopped.signal.aborted) return;
    if (mayChangeToken(event)) this.#read();
    // a sign-in that brought no usable token; not at once, because reading it causes such events, too
    else if (event.type === "state-changed" && this.#latest === undefined) this.#arm(SECOND);
  }

  /** Reads may overlap: one that waits for a refresh must not delay the others. */
  #read(): void {
    const read = ++this.#reads;
    const { signal } = this.#stopped;
    const settle = (apply: () => void) => {
      if (signal.aborted || read < this.#settled) return;
      this.#settled = read;
      apply();
    };
    this.#arm(LONGEST_WAIT);
    new Promise<TokenSet>((resolve) => resolve(requestTokens(this.#tokens, { signal }))).then(
      (tokens) => settle(() => this.#onTokens(tokens)),
      (error: unknown) => settle(() => this.#onFailure(error)),
    );
  }

  #onTokens({ accessToken, expiresAt = Number.POSITIVE_INFINITY }: TokenSet): void {
    const left = expiresAt - this.#settings.clock.now();
    if (accessToken !== this.#latest) this.#lead = Math.min(LONGEST_LEAD, left / 5);
    this.#failures = 0;
    this.#arm(this.#waitFor(left));
    this.#pass(accessToken);
  }

  /** If the source renews the token later than expected, or cannot yet, the next look is at half of the rest. */
  #waitFor(left: number): number {
    if (left <= 0) return RETRY;
    return left > this.#lead ? left - this.#lead : left / 2;
  }

  #onFailure(error: unknown): void {
    const known = UnexpiredError.is(error) ? error : undefined;
    if (known?.code === "SIGN_IN_REQUIRED") {
      this.#arm(RETRY); // another process may sign in
      this.#pass(undefined);
    } else if (known?.code === "REFRESH_FAILED") this.#arm(known.retryAt - this.#settings.clock.now());
    else if (isClosed(this.#tokens)) this.#cancelTimer();
    else this.#arm(RETRY * 2 ** Math.min(this.#failures++, 20));
  }

  #pass(accessToken: string | undefined): void {
    if (accessToken === this.#latest) return;
    this.#latest = accessToken;
    this.#listeners.call(accessToken);
  }

  /** Reads the token again once either clock has passed that many milliseconds. */
  #arm(delay: number): void {
    const { keepFresh, clock } = this.#settings;
    if (!keepFresh) return;
    const bounded = Math.min(Math.max(delay, SECOND), LONGEST_WAIT);
    const { now, monotonic } = momentOf(clock);
    this.#waitUntil({ now: now + bounded, monotonic: monotonic + bounded });
  }

  /** Compares the clocks every minute: timers stand still while a machine sleeps. */
  #waitUntil(due: Moment): void {
    const { clock } = this.#settings;
    const { now, monotonic } = momentOf(clock);
    const left = Math.min(due.now - now, due.monotonic - monotonic);
    const onTick = () => (left > MINUTE ? this.#waitUntil(due) : this.#read());
    this.#cancelTimer();
    this.#cancelTimer = clock.setTimer(onTick, Math.min(left, MINUTE), false);
  }
}

/** Returns whether reading the token now returns another one, without waiting for a refresh. */
function mayChangeToken(event: SessionEvent): boolean {
  switch (event.type) {
    case "refreshed":
    case "tokens-adopted":
    case "session-restored":
    case "session-replaced":
    case "entry-set-aside":
      return true;
    case "state-changed":
      return event.state.status === "valid" || event.state.status === "dead";
    default:
      return false;
  }
}
