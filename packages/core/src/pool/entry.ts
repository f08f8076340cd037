import { UnexpiredError } from "../errors.ts";
import { digestOf } from "../record/record.ts";
import type { Clock, DeadReason, GetTokenOptions, RejectionOptions, TokenSet, TokenSource } from "../types.ts";
import { abortable } from "../util/abortable.ts";
import { withDeadline } from "../util/deadline.ts";
import { type SessionAccess, type SessionView, sessionAccessOf } from "../util/session-access.ts";
import type { Identity } from "./cooldown-list.ts";

/** How long an entry that failed is used only if no other one is available, in milliseconds. */
const PAUSE = 30_000;
const LONGEST_PAUSE = 60 * 60_000;
/** How long a source that is not a token manager may take, in milliseconds. A manager has deadlines of its own. */
const DEADLINE = 60_000;

interface Failure {
  readonly error: unknown;
  /** The monotonic time until which other entries come first. */
  readonly until: number;
  /** The access token at that time. */
  readonly accessToken: string | undefined;
}

/** One source of a pool, and what the pool knows of its session. */
export class Entry {
  readonly name: string;
  readonly source: TokenSource;
  /** The first time that the pool itself has loaded the session. Never rejects, and ends within seconds. */
  firstLook: Promise<void> | undefined;
  readonly #access: SessionAccess | undefined;
  readonly #clock: Clock;
  /** The last tokens of a source that is not a token manager. */
  #tokens: TokenSet | undefined;
  #failure: Failure | undefined;
  #identified: { readonly tokens: TokenSet; readonly identity: Identity } | undefined;

  constructor(name: string, source: TokenSource, clock: Clock) {
    this.name = name;
    this.source = source;
    this.#access = sessionAccessOf(source);
    this.#clock = clock;
  }

  /** Whether the session can be looked at without asking for a token. */
  get isManager(): boolean {
    return this.#access !== undefined;
  }

  get #view(): SessionView | undefined {
    return this.#access?.view();
  }

  /** Whether the session has been loaded, if it is that of a manager. */
  get isKnown(): boolean {
    return !this.#access || this.#view !== undefined;
  }

  /** Why a sign-in is needed, as far as is known. */
  get deadReason(): DeadReason | undefined {
    if (this.#view) return this.#view.reason;
    const error = this.failure;
    return UnexpiredError.is(error) && error.code === "SIGN_IN_REQUIRED" ? error.reason : undefined;
  }

  /** Where a token is missing, if the source has no session and tells it: the name of a variable, for one. */
  get deadLocation(): string | undefined {
    const error = this.#view ? undefined : this.failure;
    return UnexpiredError.is(error) && error.code === "SIGN_IN_REQUIRED" ? error.location : undefined;
  }

  /** The error of the last call, unless other tokens have appeared since. */
  get failure(): unknown {
    const failure = this.#failure;
    return failure && this.#currentTokens?.accessToken === failure.accessToken ? failure.error : undefined;
  }

  /** Whether other entries come first, because this one failed a short while ago. */
  get isPaused(): boolean {
    return this.failure !== undefined && this.#clock.monotonic() < (this.#failure?.until ?? 0);
  }

  get #currentTokens(): TokenSet | undefined {
    return this.#access ? this.#view?.tokens : this.#tokens;
  }

  /** Identifies the session, if it is known and has tokens. */
  get identity(): Identity | undefined {
    const tokens = this.#currentTokens;
    if (!tokens) return undefined;
    if (this.#identified?.tokens !== tokens) this.#identified = { tokens, identity: this.#identify(tokens) };
    return this.#identified.identity;
  }

  /** Identifies the session, if this is its access token now. */
  identityOf(accessToken: string): Identity | undefined {
    return this.#currentTokens?.accessToken === accessToken ? this.identity : undefined;
  }

  /** Identifies the session of the token that the source has returned in place of another one. */
  identityAfter(rejected: Identity, accessToken: string): Identity | undefined {
    if (this.#access) return this.identityOf(accessToken);
    const renewed = digestOf(accessToken);
    const isSession = rejected.digest !== rejected.accessToken;
    return { session: undefined, digest: isSession ? rejected.digest : renewed, accessToken: renewed };
  }

  #identify({ accessToken, refreshToken }: TokenSet): Identity {
    return {
      session: this.#view?.session,
      digest: digestOf(refreshToken ?? accessToken),
      accessToken: digestOf(accessToken),
    };
  }

  /** Asks the source, and remembers its tokens. */
  async getTokenSet(options: GetTokenOptions): Promise<TokenSet> {
    const tokens = await this.#inTime(() => this.source.getTokenSet(options), options.signal);
    this.#tokens = tokens;
    this.#failure = undefined;
    return tokens;
  }

  /** Returns whether the source itself has another token after a 402 or 429, such as a pool. */
  handlesLimit(status: number, rejected: string): boolean {
    return this.source.isRejection?.(status, rejected) === true;
  }

  /** Asks the source for another token than one that was rejected. */
  replaceRejected(rejected: string, options: RejectionOptions): Promise<string> {
    return this.#inTime(() => this.source.replaceRejected(rejected, options), options.signal);
  }

  #inTime<T>(run: () => Promise<T>, signal: GetTokenOptions["signal"]): Promise<T> {
    if (this.#access) return run();
    const deadline = { milliseconds: DEADLINE, message: `No response within ${DEADLINE} ms.` };
    return abortable(withDeadline(run, this.#clock, deadline), signal);
  }

  /** Must be called with the error of each call that failed, except aborts. */
  onFailure(error: unknown): void {
    const until = this.#clock.monotonic() + this.#pauseAfter(error);
    this.#failure = { error, until, accessToken: this.#currentTokens?.accessToken };
  }

  /** A source without a token fails at once, and may have one at any time. */
  #pauseAfter(error: unknown): number {
    if (!UnexpiredError.is(error)) return PAUSE;
    if (error.code === "SIGN_IN_REQUIRED") return 0;
    return error.code === "REFRESH_FAILED" ? Math.min(error.retryAt - this.#clock.now(), LONGEST_PAUSE) : PAUSE;
  }

  /** Loads the session, if it is that of a manager. */
  async load(): Promise<void> {
    await this.#access?.load();
  }

  /** Loads the session in the background, if that is needed to notice a sign-in. */
  look(): void {
    this.#access?.look();
  }
}
