import { UnexpiredError } from "../errors.ts";
import type { SessionRecord } from "../record/record.ts";
import { RecordStore, type Stored } from "../record/record-store.ts";
import { RefreshProtocol } from "../refresh/protocol.ts";
import type { RecordSource, RefreshHost, RenewalReason } from "../refresh/renewal.ts";
import type { CallOptions, SessionEvent, SessionState, TokenSet } from "../types.ts";
import { abortable } from "../util/abortable.ts";
import type { Settings } from "./options.ts";
import { type Conditions, initialSession, isDue, isUsable, type Session, stateOf, validUntil } from "./session.ts";
import { type Effect, type Event, type Tried, transition } from "./state-machine.ts";

/** What a caller wants. */
export type Question =
  | { readonly type: "asked"; readonly refresh: boolean }
  | { readonly type: "rejected"; readonly accessToken: string };

/** A renewal that runs, and what it is for. `done`: whether it changed something. */
type Renewal = { readonly cause: RenewalReason; readonly done: Promise<boolean> };

/** Feeds events to the machine and runs its effects. Decides nothing itself. */
export class Driver implements RefreshHost {
  readonly records: RecordStore;
  readonly #settings: Settings;
  readonly #protocol: RefreshProtocol;
  readonly #listeners = new Set<(event: SessionEvent) => void>();
  #session: Session = initialSession;
  #renewal: Renewal | undefined;
  #loading: Promise<void> | undefined;
  #isChanged = false;
  #sightings = 0;
  #waiting = 0;
  #isClosed = false;
  #stopWatching: (() => void) | undefined;
  /** What nearly every call gets: made once per token, handed out while the clock stands before `#validUntil`. */
  #given: { readonly tokenSet: Promise<TokenSet>; readonly accessToken: Promise<string> } | undefined;
  #validUntil = Number.NEGATIVE_INFINITY;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { store, refresh, profile, clock, account } = settings;
    const onShared = () => this.announce({ type: "degraded", place: this.records.place });
    this.records = new RecordStore(store, account, onShared);
    this.#protocol = new RefreshProtocol(
      { records: this.records, holder: store.holder, refresh, profile, clock },
      this,
    );
  }

  get session(): Session {
    return this.#session;
  }

  get state(): SessionState | undefined {
    return stateOf(this.#session, this.#conditions());
  }

  /** The tokens, where they can be handed out without asking. */
  ready(options: CallOptions | undefined) {
    return this.#settings.clock.now() < this.#validUntil && !options?.signal?.aborted ? this.#given : undefined;
  }

  assertOpen(): void {
    if (this.#isClosed) throw new TypeError("This token manager was closed. Make another one.");
  }

  /** The stored session, with what the store has refused so far. */
  stored(): Promise<Stored | undefined> {
    return this.#protocol.load();
  }

  /** The session is another one, or over: nothing of the old one is left to be written. */
  replace(record: SessionRecord | undefined, source: RecordSource): void {
    this.#protocol.forget();
    this.observe(record, source);
  }

  subscribe(listener: (event: SessionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#validUntil = Number.NEGATIVE_INFINITY;
    this.#stopWatching?.();
    await this.#renewal?.done.catch(() => {}); // whoever waits for it gets the error
    await this.#protocol.close();
  }

  /** Asks the machine, does what it says, and asks again with what came of it, until it gives or refuses. */
  async ask(question: Question, { signal }: CallOptions = {}): Promise<TokenSet> {
    this.assertOpen();
    let tried: Tried = {};
    for (;;) {
      signal?.throwIfAborted();
      const effects = this.#dispatch({ ...question, tried });
      const tokens = this.#session.record?.tokens; // of the session that was asked about
      for (const effect of effects) tried = await this.#perform(effect, tried, signal);
      if (tokens && effects.some((effect) => effect.do === "give")) return tokens;
    }
  }

  async #perform(effect: Effect, tried: Tried, signal: CallOptions["signal"]): Promise<Tried> {
    switch (effect.do) {
      case "load":
        this.assertOpen();
        return this.#try(
          this.load().then(() => ({ ...tried, loaded: true })),
          tried,
          signal,
        );
      case "renew":
        if (effect.wait) return this.#renewFirst(effect.because, tried, signal);
        this.#renew(effect.because);
        return tried;
      case "refuse":
        throw effect.error;
      case "give":
      case "announce":
        return tried;
    }
  }

  /** A renewal that brought nothing leaves the question as it was, and so does one that failed at something else. */
  async #renewFirst(because: RenewalReason, tried: Tried, signal: CallOptions["signal"]): Promise<Tried> {
    this.assertOpen();
    this.#waiting++;
    const { cause, done } = this.#renew(because);
    const next = done.then((brought) => (brought ? { loaded: true, renewed: true } : tried));
    const judged = cause === because ? next : next.catch(() => tried);
    return this.#try(judged, tried, signal).finally(() => {
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

  /** Starts a renewal, or joins the one that runs, whatever that is for. */
  #renew(because: RenewalReason): Renewal {
    if (this.#renewal) return this.#renewal;
    const done = Promise.resolve().then(() => this.#runRenewal(because));
    done.catch(() => {}); // told as an event, and to whoever waits
    this.#renewal = { cause: because, done };
    return this.#renewal;
  }

  async #runRenewal(because: RenewalReason): Promise<boolean> {
    const goal = { replacing: this.#session.record?.tokens?.accessToken, because };
    let brought = false;
    this.#dispatch({ type: "renewal-started" });
    try {
      brought = await this.#protocol.renew(goal, () => this.#waiting > 0 && !this.#isClosed);
      return brought;
    } catch (error) {
      this.#announceFailure(error);
      throw error;
    } finally {
      this.#renewal = undefined;
      this.#dispatch({ type: "renewal-ended", brought });
      if (this.#isChanged) this.#onChange();
    }
  }

  /** Looks at the store. */
  load(): Promise<void> {
    this.#loading ??= this.#look().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #look(): Promise<void> {
    const before = this.#sightings;
    const stored = await this.#protocol.load();
    if (this.#sightings === before) this.observe(stored?.record, "store"); // else something newer was seen meanwhile
  }

  #watch(): void {
    if (this.#isClosed) return;
    try {
      this.#stopWatching ??= this.#settings.store.watch?.(() => this.#onChange());
    } catch {
      // a store that cannot watch is looked at when the session is due
    }
  }

  /** A renewal looks by itself, and what it may have missed is looked at when it has ended. */
  #onChange(): void {
    this.#isChanged = this.#renewal !== undefined;
    if (this.#isChanged) this.#protocol.wake();
    if (this.#isClosed || this.#isChanged) return;
    this.load().catch(() => {}); // the next call meets the same error
  }

  observe(record: SessionRecord | undefined, source: RecordSource): void {
    this.#sightings++;
    this.#watch();
    this.#dispatch({ type: "seen", record, by: source });
  }

  isUsable(record: SessionRecord): boolean {
    return isUsable(this.#session, record, this.#conditions());
  }

  isDue(record: SessionRecord): boolean {
    return isDue({ ...this.#session, record }, this.#conditions());
  }

  #conditions(): Conditions {
    const { rules, clock } = this.#settings;
    return { ...rules, place: this.records.place, now: clock.now(), monotonic: clock.monotonic() };
  }

  #dispatch(event: Event): readonly Effect[] {
    const conditions = this.#conditions();
    const { session, effects } = transition(this.#session, event, conditions);
    const tokens = session.record?.tokens;
    if (tokens && tokens !== this.#session.record?.tokens) {
      this.#given = { tokenSet: Promise.resolve(tokens), accessToken: Promise.resolve(tokens.accessToken) };
    }
    this.#session = session;
    this.#validUntil = this.#isClosed ? Number.NEGATIVE_INFINITY : validUntil(session, conditions);
    for (const effect of effects) if (effect.do === "announce") this.announce(effect.event);
    return effects;
  }

  /** What the token endpoint said was announced as it came. */
  #announceFailure(error: unknown): void {
    if (!UnexpiredError.is(error) || !error.code.startsWith("STORE_")) return;
    this.announce({ type: "refresh-failed", code: error.code, retryAt: undefined });
  }

  announce(event: SessionEvent): void {
    for (const listener of this.#listeners) {
      // a listener's mistake is not the session's, also where it is asynchronous
      new Promise<void>((resolve) => resolve(listener(event))).catch(() => {});
    }
  }
}
