import { toEndpointError } from "./classify.ts";
import { UnexpiredError } from "./errors.ts";
import { type Cause, type Effect, type Event, type Sighting, type Tried, transition } from "./machine.ts";
import { parseOptions, type Settings, typeOf } from "./options.ts";
import { RefreshProtocol } from "./protocol.ts";
import type { SessionRecord } from "./record.ts";
import { RecordStore } from "./record-store.ts";
import {
  type Conditions,
  initialSession,
  isSameAccount,
  isUsable,
  type Session,
  stateOf,
  validUntil,
} from "./session.ts";
import { saveSession, saveTombstone } from "./sign.ts";
import { abortable, SingleFlight } from "./single-flight.ts";
import { parseTokenSet, secretsOf } from "./token-set.ts";
import type {
  CallOptions,
  SessionEvent,
  SessionState,
  SignOutOptions,
  TokenManager,
  TokenManagerOptions,
  TokenSet,
  TokenSetInput,
} from "./types.ts";

/**
 * Makes a manager that keeps one session alive.
 *
 * @throws TypeError for an option that makes no sense; it names the option and what is accepted
 */
export const createTokenManager = (options: TokenManagerOptions = {}): TokenManager =>
  new Manager(parseOptions(options));

type Question = { type: "asked"; refresh: boolean } | { type: "rejected"; accessToken: string };

/** The driver: feeds events to the machine and runs the effects. Decides nothing itself. */
class Manager implements TokenManager {
  readonly #settings: Settings;
  readonly #records: RecordStore;
  readonly #protocol: RefreshProtocol;
  readonly #renewal = new SingleFlight<boolean>();
  readonly #loading = new SingleFlight<void>();
  readonly #listeners = new Set<(event: SessionEvent) => void>();
  #session: Session = initialSession;
  #sightings = 0;
  #waiting = 0;
  #isClosed = false;
  #stopWatching: (() => void) | undefined;
  /** What nearly every call gets: made once per token, handed out while the clock stands before `#validUntil`. */
  #validUntil = Number.NEGATIVE_INFINITY;
  #tokenSet: Promise<TokenSet> | undefined;
  #accessToken: Promise<string> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { store, refresh, profile, clock } = settings;
    this.#records = new RecordStore(store);
    this.#protocol = new RefreshProtocol({
      records: this.#records,
      holder: store.holder,
      refresh,
      profile,
      clock,
      session: () => this.#session,
      isUsable: (record) => isUsable(this.#session, record, this.#conditions()),
      see: (record, by) => this.#see(record, by),
      announce: (event) => this.#announce(event),
    });
  }

  getAccessToken(options?: CallOptions): Promise<string> {
    if (this.#accessToken && this.#isValid(options)) return this.#accessToken;
    return this.#ask({ type: "asked", refresh: false }, options).then(({ accessToken }) => accessToken);
  }

  getTokenSet(options?: CallOptions): Promise<TokenSet> {
    if (this.#tokenSet && this.#isValid(options)) return this.#tokenSet;
    return this.#ask({ type: "asked", refresh: false }, options);
  }

  async refresh(options?: CallOptions): Promise<TokenSet> {
    if (!this.#settings.refresh) throw new TypeError("refresh(): this manager was made without a refresh function.");
    return this.#ask({ type: "asked", refresh: true }, options);
  }

  async replaceRejected(accessToken: string, options?: CallOptions): Promise<string> {
    if (typeof accessToken !== "string")
      throw new TypeError(`accessToken: expected a string, not ${typeOf(accessToken)}.`);
    return (await this.#ask({ type: "rejected", accessToken }, options)).accessToken;
  }

  async signIn(input: TokenSetInput): Promise<void> {
    this.#assertOpen();
    const tokens = parseTokenSet(input);
    const { account, clock } = this.#settings;
    const session = { tokens, account: account(tokens), obtainedAt: clock.now() };
    this.#see(await saveSession(this.#records, session), "sign-in");
  }

  async signOut({ revoke = true }: SignOutOptions = {}): Promise<void> {
    this.#assertOpen();
    const { clock, refresh } = this.#settings;
    const { record, tokens } = await saveTombstone(this.#records, () => this.#protocol.load(), clock.now());
    this.#see(record, "store");
    const run = revoke === true ? refresh?.revoke : revoke || undefined;
    if (!tokens || !run) return;
    try {
      await run(tokens);
    } catch (error) {
      throw toEndpointError(error, secretsOf(tokens));
    }
  }

  async hasSession(): Promise<boolean> {
    this.#assertOpen();
    await this.#load();
    const { record, account } = this.#session;
    return record?.tokens !== undefined && !record.dead && isSameAccount(account, record);
  }

  get state(): SessionState | undefined {
    return stateOf(this.#session, this.#conditions());
  }

  subscribe(listener: (event: SessionEvent) => void): () => void {
    if (typeof listener !== "function") throw new TypeError(`listener: expected a function, not ${typeOf(listener)}.`);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#validUntil = Number.NEGATIVE_INFINITY;
    this.#stopWatching?.();
    await this.#renewal.current?.catch(() => {}); // whoever waits for it gets the error
    await this.#protocol.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #isValid(options: CallOptions | undefined): boolean {
    return this.#settings.clock.now() < this.#validUntil && !options?.signal?.aborted;
  }

  #conditions(): Conditions {
    const { rules, clock } = this.#settings;
    return { ...rules, place: this.#records.place, now: clock.now(), monotonic: clock.monotonic() };
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new TypeError("This token manager was closed. Make another one.");
  }

  /** Asks the machine, does what it says, and asks again with what came of it, until it gives or refuses. */
  async #ask(question: Question, { signal }: CallOptions = {}): Promise<TokenSet> {
    let tried: Tried = {};
    for (;;) {
      this.#assertOpen();
      signal?.throwIfAborted();
      const effects = this.#dispatch({ ...question, tried });
      for (const effect of effects) tried = await this.#perform(effect, tried, signal);
      const tokens = this.#session.record?.tokens;
      if (tokens && effects.some((effect) => effect.do === "give")) return tokens;
    }
  }

  async #perform(effect: Effect, tried: Tried, signal: CallOptions["signal"]): Promise<Tried> {
    switch (effect.do) {
      case "load":
        return this.#try(
          this.#load().then(() => ({ ...tried, loaded: true })),
          tried,
          signal,
        );
      case "renew": {
        const renewal = this.#renew(effect.because);
        return effect.wait ? this.#wait(renewal, tried, signal) : tried;
      }
      case "refuse":
        throw effect.error;
      case "give":
      case "announce":
        return tried;
    }
  }

  async #wait(renewal: Promise<boolean>, tried: Tried, signal: CallOptions["signal"]): Promise<Tried> {
    this.#waiting++;
    const done = renewal.then((brought) => (brought ? { loaded: true, renewed: true } : tried));
    return this.#try(done, tried, signal).finally(() => {
      this.#waiting--;
    });
  }

  async #try(step: Promise<Tried>, tried: Tried, signal: CallOptions["signal"]): Promise<Tried> {
    try {
      return await abortable(step, signal);
    } catch (failure) {
      signal?.throwIfAborted();
      return { ...tried, failure };
    }
  }

  /** Starts a renewal, or joins the one that runs. */
  #renew(because: Cause): Promise<boolean> {
    const goal = { replacing: this.#session.record?.tokens?.accessToken, because };
    const renewal = this.#renewal.run(async () => {
      let brought = false;
      this.#dispatch({ type: "renewal-started" });
      try {
        brought = await this.#protocol.renew(goal, () => this.#waiting > 0 && !this.#isClosed);
        return brought;
      } finally {
        this.#dispatch({ type: "renewal-ended", brought });
      }
    });
    renewal.catch((error: unknown) => this.#announceFailure(error)); // and whoever waits gets it
    return renewal;
  }

  #load(): Promise<void> {
    return this.#loading.run(async () => {
      const before = this.#sightings;
      const stored = await this.#protocol.load();
      if (this.#sightings === before) this.#see(stored?.record, "store"); // else something newer was seen meanwhile
    });
  }

  #watch(): void {
    if (this.#isClosed) return;
    this.#stopWatching ??= this.#settings.store.watch?.(() => {
      if (!this.#isClosed && !this.#renewal.current) this.#load().catch(() => {}); // the next call meets the same error
    });
  }

  #see(record: SessionRecord | undefined, by: Sighting): void {
    this.#sightings++;
    this.#watch();
    const account = record?.account ?? (record?.tokens && this.#settings.account(record.tokens));
    this.#dispatch({ type: "seen", record: record && { ...record, account }, by });
  }

  #dispatch(event: Event): readonly Effect[] {
    const conditions = this.#conditions();
    const { session, effects } = transition(this.#session, event, conditions);
    const tokens = session.record?.tokens;
    if (tokens && tokens !== this.#session.record?.tokens) {
      this.#tokenSet = Promise.resolve(tokens);
      this.#accessToken = Promise.resolve(tokens.accessToken);
    }
    this.#session = session;
    this.#validUntil = this.#isClosed ? Number.NEGATIVE_INFINITY : validUntil(session, conditions);
    for (const effect of effects) if (effect.do === "announce") this.#announce(effect.event);
    return effects;
  }

  /** What the token endpoint said was announced as it came. */
  #announceFailure(error: unknown): void {
    if (!UnexpiredError.is(error) || !error.code.startsWith("STORE_")) return;
    this.#announce({ type: "refresh-failed", code: error.code, retryAt: undefined });
  }

  #announce(event: SessionEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch {
        // a listener's mistake is not the session's
      }
    }
  }
}
