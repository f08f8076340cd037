import type { SessionRecord } from "../record/record.ts";
import { RecordStore } from "../record/record-store.ts";
import { PendingChanges } from "../refresh/pending-changes.ts";
import { RefreshProtocol } from "../refresh/protocol.ts";
import { includes, type RecordSource, type RefreshHost, type RenewalGoal, widen } from "../refresh/renewal.ts";
import type { CallOptions, GetTokenOptions, SessionEvent, SessionState, TokenSet } from "../types.ts";
import { abortable } from "../util/abortable.ts";
import { momentOf } from "../util/clock.ts";
import { Listeners } from "../util/listeners.ts";
import { ownOption } from "../util/own-options.ts";
import { isRefreshTokenDue, KeepAlive, scheduleOf } from "./keep-alive.ts";
import { isNotified, type Settings } from "./options.ts";
import { RecordLoader } from "./record-loader.ts";
import { ResultCache } from "./result-cache.ts";
import {
  type Context,
  initialSession,
  isDue,
  isLookDue,
  isTooShort,
  isUsable,
  type Session,
  stateOf,
  validUntil,
  withLoadedRecord,
  withRecord,
} from "./session.ts";
import type { Replacement } from "./sign-in-out.ts";
import {
  type Effect,
  type Event,
  latestOf,
  type Progress,
  type Renew,
  type TokenRequest,
  transition,
} from "./state-machine.ts";

/** A renewal in progress. `done` resolves to whether it changed anything. */
type Renewal = { readonly goal: RenewalGoal; readonly done: Promise<boolean> };

/** Runs the effects of the state machine and feeds the results back as events. Makes no decisions itself. */
export class Driver implements RefreshHost {
  readonly records: RecordStore;
  readonly pending: PendingChanges;
  readonly #settings: Settings;
  /** Exists only during a renewal, and as long as an attempt is known: a server holds thousands of drivers. */
  #protocol: RefreshProtocol | undefined;
  readonly #loader: RecordLoader;
  readonly listeners = new Listeners<[SessionEvent]>();
  /** Called when the store may have changed. */
  readonly changes = new Listeners<[]>();
  #session: Session = initialSession;
  #renewal: Renewal | undefined;
  #hasPendingChange = false;
  /** The number of sign-ins that are running. */
  #signIns = 0;
  #waiting = 0;
  isClosed = false;
  #closing: Promise<void> | undefined;
  readonly #results = new ResultCache();
  readonly #keepAlive: KeepAlive | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { store, refresh, clock } = settings;
    this.records = new RecordStore(store, settings, this);
    this.pending = new PendingChanges({ records: this.records, refresh, clock }, this);
    if (settings.keepAlive) this.#keepAlive = new KeepAlive(this, clock);
    this.#loader = new RecordLoader(this, settings);
  }

  get session(): Session {
    return this.#session;
  }

  get state(): SessionState | undefined {
    return stateOf(this.#session, this.context());
  }

  /** Loads in the background, if the session is not known yet, or a change may have gone unnoticed. */
  look(): void {
    if (!this.isClosed && isLookDue(this.#session, this.context())) this.#loader.look();
  }

  /** Returns the tokens if they can be handed out without consulting the state machine. */
  cached(options: GetTokenOptions | undefined) {
    const isPlain = ownOption(options, "minValidity") === undefined && !options?.signal?.aborted;
    return isPlain ? this.#results.get(this.#settings.clock) : undefined;
  }

  /** Whether nothing is running, and nothing is left to be saved. */
  get isIdle(): boolean {
    return !this.#renewal && this.#signIns === 0 && !this.#loader.isLoading && this.pending.isEmpty;
  }

  /** Renews the session if its refresh token is about to expire. */
  renewBeforeExpiry(): Promise<boolean> {
    return this.#renew({ reason: "clock", keepAlive: true }).done;
  }

  assertOpen(): void {
    if (this.isClosed) throw new TypeError("This token manager is closed. Create a new one.");
  }

  /** Runs a sign-in. Its own change, of which the store may notify before it confirms it, is no other account's session. */
  async signIn<T>(run: () => Promise<T>): Promise<T> {
    this.#signIns++;
    try {
      return await run();
    } finally {
      this.#signIns--;
      if (this.#hasPendingChange) this.onChange();
    }
  }

  /** Replaces the session by a new or ended one, and discards what was still to be written of the old one. */
  replaceSession({ record, current }: Replacement, source: RecordSource): void {
    // A sign-in can be refreshed, or signed out elsewhere, before the store confirms that it is saved.
    const latest = latestOf(this.#session, record);
    if (latest === record) this.pending.onReplaced(record);
    this.observe(latest, source);
    if (current !== record) this.observe(current, "store");
  }

  async close(): Promise<void> {
    this.#protocol?.assertOutsideRefresh();
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.isClosed = true;
    this.#results.clear();
    this.#keepAlive?.close();
    this.#loader.close();
    await this.#renewal?.done.catch(() => {}); // reported to the callers that wait for it
    this.#protocol?.close();
    await this.pending.close().finally(() => this.records.close());
  }

  /** Runs the effects of the state machine, and dispatches again with the results, until it resolves or rejects. */
  async resolveTokens(request: TokenRequest, { signal }: CallOptions = {}): Promise<TokenSet> {
    this.assertOpen();
    let progress: Progress = {};
    for (;;) {
      signal?.throwIfAborted();
      const effects = this.#dispatch({ ...request, progress });
      const tokens = this.#session.record?.tokens; // before an effect can replace the session
      for (const effect of effects) progress = await this.#perform(effect, progress, signal);
      if (tokens && effects.some((effect) => effect.do === "resolve")) return tokens;
    }
  }

  async #perform(effect: Effect, progress: Progress, signal: CallOptions["signal"]): Promise<Progress> {
    switch (effect.do) {
      case "load": {
        this.assertOpen();
        // a load that began before the call does not count, but the one after it does
        const loaded = !this.#loader.isLoading || progress.loaded === false;
        const step = this.#loader.load().then(() => ({ ...progress, loaded }));
        return this.#settle(step, progress, signal);
      }
      case "renew":
        if (effect.wait) return this.#waitForRenewal(effect, progress, signal);
        this.#renew(effect);
        return progress;
      case "look":
        this.#loader.look();
        return progress;
      case "reject":
        throw effect.error;
      case "resolve":
      case "announce":
        return progress;
    }
  }

  /**
   * Waits for a renewal and returns the caller's progress. A renewal that changed nothing leaves it as it was, and so
   * does one that failed but had been started for another reason, or that kept the token because it was valid for long
   * enough for the callers that had started it.
   */
  async #waitForRenewal(renew: Renew, progress: Progress, signal: CallOptions["signal"]): Promise<Progress> {
    this.assertOpen();
    this.#protocol?.assertOutsideRefresh();
    this.#waiting++;
    const isEnough = !this.#renewal || includes(this.#renewal.goal, renew);
    const before = this.#session.record?.tokens?.accessToken;
    const renewal = this.#renew(renew);
    const next = renewal.done.then((changed) => {
      const counts = changed && (isEnough || this.#session.record?.tokens?.accessToken !== before);
      return counts ? { loaded: true, renewals: (progress.renewals ?? 0) + 1 } : progress;
    });
    const step = renewal.goal.reason === renew.reason ? next : next.catch(() => progress);
    return this.#settle(step, progress, signal).finally(() => {
      this.#waiting--;
    });
  }

  async #settle(step: Promise<Progress>, progress: Progress, signal: CallOptions["signal"]): Promise<Progress> {
    try {
      return await abortable(step, signal);
    } catch (failure) {
      signal?.throwIfAborted();
      return { ...progress, failure };
    }
  }

  /** Starts a renewal, or joins the current one even if it was started for another reason. */
  #renew(renew: Renew): Renewal {
    if (this.#renewal) widen(this.#renewal.goal, renew);
    else {
      const goal = { ...renew, replacing: this.#session.record?.tokens?.accessToken };
      const done = Promise.resolve().then(() => this.#runRenewal(goal));
      done.catch(() => {}); // reported as an event, and to the callers that wait
      this.#renewal = { goal, done };
    }
    return this.#renewal;
  }

  async #runRenewal(goal: RenewalGoal): Promise<boolean> {
    let changed = false;
    let failure: unknown;
    this.#dispatch({ type: "renewal-started" });
    const deps = { ...this.#settings, records: this.records, holder: this.#settings.store.holder };
    this.#protocol ??= new RefreshProtocol(deps, this, this.pending);
    try {
      changed = await this.#protocol.renew(goal, () => this.#waiting > 0 && !this.isClosed);
      return changed;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      if (!this.#session.record?.attempt) this.#protocol = undefined;
      this.#renewal = undefined;
      this.#dispatch({ type: "renewal-ended", changed, failure });
      if (this.#hasPendingChange) this.onChange();
    }
  }

  /** Loads the record from the store in a load that begins after the call. Concurrent calls share it. */
  async load(): Promise<void> {
    this.assertOpen();
    await this.#loader.loadAgain();
  }

  /**
   * Reloads after a change in the store. A renewal loads by itself, except during its exchange; what it may have missed is
   * loaded when it ends.
   */
  onChange(): void {
    this.changes.call();
    const isSigningIn = this.#signIns > 0;
    this.#hasPendingChange = this.#renewal !== undefined || isSigningIn;
    if (this.isClosed || (this.#renewal && this.#protocol?.wake())) return;
    const load = isSigningIn ? this.records.load() : this.load(); // a sign-in observes its outcome by itself
    load.catch(() => {}); // the next call runs into the same error
  }

  observe(record: SessionRecord | undefined, source: RecordSource): void {
    this.#loader.onObserved();
    this.#dispatch({ type: "record-observed", record, source });
  }

  isUsable(record: SessionRecord): boolean {
    const ctx = this.context();
    return isUsable(withRecord(this.#session, record, ctx), ctx);
  }

  isDue(record: SessionRecord): boolean {
    const ctx = this.context();
    return isDue(withRecord(this.#session, record, ctx), ctx);
  }

  isInsufficient(record: SessionRecord, { minValidity = 0, keepAlive = false }: RenewalGoal): boolean {
    const ctx = this.context();
    const session = withLoadedRecord(this.#session, record, ctx);
    return isTooShort(session, minValidity, ctx) || (keepAlive && isRefreshTokenDue(session, ctx));
  }

  context(): Context {
    const { rules, clock, store } = this.#settings;
    const maxStaleness = isNotified(store) ? Number.POSITIVE_INFINITY : rules.maxStaleness;
    return { ...rules, maxStaleness, location: this.records.location, ...momentOf(clock) };
  }

  #dispatch(event: Event): readonly Effect[] {
    const ctx = this.context();
    const { session, effects } = transition(this.#session, event, ctx);
    this.#session = session;
    if (!this.isClosed) this.#results.set(session.record?.tokens, validUntil(session, ctx));
    this.#keepAlive?.update(scheduleOf(session, ctx));
    for (const effect of effects) if (effect.do === "announce") this.announce(effect.event);
    return effects;
  }

  announce(event: SessionEvent): void {
    this.#settings.onEvent?.(event);
    this.listeners.call(event);
  }
}
