import { TokenEndpointError, UnexpiredError } from "./errors.ts";
import {
  type Effect,
  type Event,
  initialSession,
  isSameAccount,
  isUsable,
  type Session,
  type Sighting,
  stateOf,
  type Time,
  transition,
  type Tried,
  validUntil,
} from "./machine.ts";
import { parseOptions, type Settings, typeOf } from "./options.ts";
import { endRecord, RefreshProtocol } from "./protocol.ts";
import { currentDigest, type SessionRecord, spend } from "./record.ts";
import { RecordStore } from "./record-store.ts";
import { redact } from "./redact.ts";
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
export const createTokenManager = (options: TokenManagerOptions = {}): TokenManager => new Manager(parseOptions(options));

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
      isUsable: (record) => isUsable(this.#session, record, this.#time()),
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
    if (typeof accessToken !== "string") throw new TypeError(`accessToken: expected a string, not ${typeOf(accessToken)}.`);
    return (await this.#ask({ type: "rejected", accessToken }, options)).accessToken;
  }

  async signIn(input: TokenSetInput): Promise<void> {
    this.#assertOpen();
    const tokens = parseTokenSet(input);
    const { account, clock } = this.#settings;
    for (;;) {
      const stored = await this.#records.load();
      const record: SessionRecord = { schema: 1, account: account(tokens), tokens, obtainedAt: clock.now(), spent: [] };
      const digest = currentDigest(record);
      const attempt = digest !== undefined && stored?.record.attempt?.digest === digest ? stored.record.attempt : undefined;
      const spent = spend(stored?.record.spent ?? [], currentDigest(stored?.record), digest);
      const saved = await this.#records.save({ ...record, attempt, spent }, stored);
      if (saved) return this.#see(saved.record, "sign-in");
    }
  }

  async signOut({ revoke }: SignOutOptions = {}): Promise<void> {
    this.#assertOpen();
    const tokens = await this.#saveTombstone();
    const byRefresh = this.#settings.refresh?.revoke;
    const run = typeof revoke === "function" ? revoke : revoke === false ? undefined : byRefresh;
    if (revoke === true && !run) throw new TypeError("revoke: the refresh function has no revoke of its own; give a function.");
    if (!tokens || !run) return;
    await run(tokens).catch((error: unknown) => {
      throw UnexpiredError.is(error) ? error : new TokenEndpointError({ sent: true, cause: redact(error, secretsOf(tokens)) });
    });
  }

  async hasSession(): Promise<boolean> {
    this.#assertOpen();
    await this.#load();
    const { record, account } = this.#session;
    return record?.tokens !== undefined && !record.dead && isSameAccount(account, record);
  }

  get state(): SessionState | undefined {
    return stateOf(this.#session, this.#settings.rules, this.#time());
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

  #time(): Time {
    const { clock } = this.#settings;
    return { now: clock.now(), monotonic: clock.monotonic() };
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
      for (const effect of this.#dispatch({ ...question, tried })) {
        if (effect.do === "refuse") throw effect.error;
        if (effect.do === "give") return this.#session.record?.tokens as TokenSet; // the machine gives only what is there
        if (effect.do === "renew") this.#renew(effect.because);
        if (effect.do === "load") tried = await this.#try(this.#load(), { ...tried, loaded: true }, signal);
        if (effect.do === "wait") tried = await this.#wait(tried, signal);
      }
    }
  }

  async #wait(tried: Tried, signal: CallOptions["signal"]): Promise<Tried> {
    this.#waiting++;
    try {
      const isRenewed = this.#renewal.current ?? Promise.resolve(true);
      return await this.#try(isRenewed, { ...tried, loaded: true, renewed: true }, signal);
    } finally {
      this.#waiting--;
    }
  }

  async #try(promise: Promise<unknown>, then: Tried, signal: CallOptions["signal"]): Promise<Tried> {
    try {
      await abortable(promise, signal);
      return then;
    } catch (failure) {
      signal?.throwIfAborted();
      return { ...then, failure };
    }
  }

  #renew(because: "clock" | "call" | "rejection"): void {
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
    renewal.catch(() => {}); // told as an event, and to whoever waits
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
    const { session, effects } = transition(this.#session, event, this.#settings.rules, this.#time());
    this.#keep(session);
    for (const effect of effects) if (effect.do === "announce") this.#announce(effect.event);
    return effects;
  }

  #keep(session: Session): void {
    const tokens = session.record?.tokens;
    if (tokens && tokens !== this.#session.record?.tokens) {
      this.#tokenSet = Promise.resolve(tokens);
      this.#accessToken = Promise.resolve(tokens.accessToken);
    }
    this.#session = session;
    this.#validUntil = this.#isClosed ? Number.NEGATIVE_INFINITY : validUntil(session, this.#settings.rules);
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

  /** Ends the stored session, and resolves to the tokens that it held. */
  async #saveTombstone(): Promise<TokenSet | undefined> {
    for (;;) {
      const stored = await this.#protocol.load();
      if (!stored || stored.record.dead?.reason === "signed_out") {
        this.#see(stored?.record, "store");
        return undefined;
      }
      const dead = { reason: "signed_out" as const, digest: currentDigest(stored.record) };
      const tombstone = { ...endRecord(stored.record, dead), obtainedAt: this.#settings.clock.now() };
      const saved = await this.#records.save(tombstone, stored);
      if (saved) {
        this.#see(saved.record, "store");
        return stored.record.tokens;
      }
    }
  }
}
