import { UnexpiredError } from "../errors.ts";
import type {
  Clock,
  CooldownReason,
  GetTokenOptions,
  RejectingResponse,
  RejectionOptions,
  SessionEvent,
  TokenSet,
  TokenStore,
} from "../types.ts";
import { abortable } from "../util/abortable.ts";
import { toTime } from "../util/clock.ts";
import { withDeadline } from "../util/deadline.ts";
import { Listeners } from "../util/listeners.ts";
import { retryAfterOf } from "../util/retry-after.ts";
import { ServedTokens } from "../util/served-tokens.ts";
import { type Cooldown, type Identity, LONGEST, reasonOf, toLength } from "./cooldown-list.ts";
import type { Entry } from "./entry.ts";
import { type Active, SharedCooldowns } from "./shared-cooldowns.ts";
import { type EntryStatus, earliest, type PoolStatus, statusOf, unavailableError } from "./status.ts";

const AFTER_429 = 60_000;
const AFTER_FAILURE = 30_000;
/** How long a call waits for the stores of entries that are put aside, in milliseconds. */
const LOOK_DEADLINE = 2_000;

interface PoolSettings {
  readonly store: TokenStore;
  readonly clock: Clock;
  readonly isSpread: boolean;
  readonly cooldownAfter402: number;
}

/** An access token that the pool has returned: whose it was. */
interface Served {
  readonly entry: Entry;
  readonly identity: Identity;
}

/** Why, and for how many milliseconds, an entry is put aside. */
interface Limit {
  readonly reason: CooldownReason;
  readonly length: number;
}

/** The progress of one call. */
interface Call {
  readonly options: GetTokenOptions;
  readonly tried: Set<Entry>;
  /** The access token that this call must replace. */
  readonly rejected: string | undefined;
}

/** Chooses the entries of a pool, and puts them aside. */
export class Selection {
  readonly #entries: readonly Entry[];
  readonly #names: ReadonlySet<string>;
  readonly #settings: PoolSettings;
  readonly #cooldowns: SharedCooldowns;
  readonly #listeners = new Listeners<[SessionEvent]>();
  /** Whose the latest access tokens were: a response may be late. */
  readonly #served = new ServedTokens<Served>();
  #last: Entry | undefined;
  /** The index of the entry whose turn it is. */
  #turn = 0;
  #isClosed = false;

  constructor(entries: readonly Entry[], settings: PoolSettings) {
    this.#entries = entries;
    this.#names = new Set(entries.map(({ name }) => name));
    this.#settings = settings;
    const { store, clock } = settings;
    this.#cooldowns = new SharedCooldowns({ store, clock, onSeen: (cooldown) => this.#announce(cooldown) });
  }

  /** Returns the tokens of an available entry other than the `rejected` token. */
  async select(options: GetTokenOptions = {}, rejected?: string): Promise<TokenSet> {
    this.#assertOpen();
    const { signal } = options;
    signal?.throwIfAborted();
    await abortable(this.#prepare(), signal);
    const call: Call = { options, rejected, tried: new Set() };
    const tokens = await this.#firstOf(call, (entry) => this.#isHealthy(entry));
    if (tokens) return tokens;
    await abortable(this.#load(this.#entries), signal); // another process may have signed in
    const found = await this.#firstOf(call, (entry) => !this.#activeOf(entry));
    if (found) return found;
    throw this.#unavailable();
  }

  async #firstOf(call: Call, isCandidate: (entry: Entry) => boolean): Promise<TokenSet | undefined> {
    for (;;) {
      const entry = this.#next((each) => !call.tried.has(each) && isCandidate(each));
      if (!entry) return undefined;
      call.tried.add(entry);
      const tokens = await this.#try(entry, call);
      if (tokens) return tokens;
    }
  }

  /** Returns the next candidate, and gives the turn to the entry behind it. */
  #next(isCandidate: (entry: Entry) => boolean): Entry | undefined {
    const entries = this.#entries;
    const start = this.#settings.isSpread ? this.#turn : 0;
    const entry = [...entries.slice(start), ...entries.slice(0, start)].find(isCandidate);
    if (entry) this.#turn = (entries.indexOf(entry) + 1) % entries.length;
    return entry;
  }

  async #try(entry: Entry, { options, rejected }: Call): Promise<TokenSet | undefined> {
    const { signal } = options;
    try {
      const tokens = await entry.getTokenSet(options);
      if (tokens.accessToken === rejected || this.#activeOf(entry)) return undefined;
      this.#onServed(entry, tokens.accessToken, entry.identityOf(tokens.accessToken));
      return tokens;
    } catch (error) {
      signal?.throwIfAborted();
      entry.onFailure(error);
      return undefined;
    }
  }

  #onServed(entry: Entry, accessToken: string, identity: Identity | undefined): void {
    this.#last = entry;
    if (identity) this.#served.add(accessToken, { entry, identity }); // otherwise, it has been replaced already
  }

  /**
   * Returns whether to ask an entry before all others. Looks at the session of one that is put aside in the background. A source
   * that is not a manager is asked in any case: only its tokens tell whether it has another session.
   */
  #isHealthy(entry: Entry): boolean {
    if (!entry.isManager) return !entry.isPaused;
    const isAside = entry.isKnown ? this.#activeOf(entry) !== undefined : this.#cooldowns.has(entry.name);
    const isHealthy = !isAside && !entry.isPaused && entry.deadReason === undefined;
    if (!isHealthy) entry.look();
    return isHealthy;
  }

  /** Two entries may have the same session. */
  #activeOf({ identity }: Entry): Active | undefined {
    return identity && this.#cooldowns.of(this.#names, identity);
  }

  /** Learns of the cooldowns, and whether the entries still have the sessions that these are about. */
  async #prepare(): Promise<void> {
    await this.#cooldowns.ready();
    const unknown = this.#entries.filter((entry) => !entry.isKnown && this.#cooldowns.has(entry.name));
    for (const entry of unknown) entry.firstLook ??= this.#load([entry]);
    await Promise.all(unknown.map(({ firstLook }) => firstLook));
  }

  /** Loads the sessions of managers, unless that takes too long. */
  async #load(entries: readonly Entry[]): Promise<void> {
    const loads = entries.map((entry) => entry.load());
    const deadline = { milliseconds: LOOK_DEADLINE, message: "late", keepAlive: false };
    await withDeadline(() => Promise.allSettled(loads), this.#settings.clock, deadline).catch(() => {});
  }

  /** Returns an access token in place of one that a server rejected. */
  async replace(rejected: string, options: RejectionOptions = {}): Promise<string> {
    this.#assertOpen();
    const { signal, response } = options;
    const served = this.#served.ownerOf(rejected) ?? this.#holderOf(rejected);
    const limit = response && this.#limitOf(response);
    const isHandled = limit && served?.entry.handlesLimit(response.status, rejected);
    if (served && limit && !isHandled) await abortable(this.#setAside(served, limit), signal);
    else if (served && (isHandled || !this.#activeOf(served.entry))) {
      const newer = await this.#renew(served, rejected, options);
      if (newer !== undefined) return newer;
    }
    return (await this.select({ signal }, rejected)).accessToken;
  }

  /** Returns the entry that holds a token, if the pool has not returned it itself. */
  #holderOf(accessToken: string): Served | undefined {
    for (const entry of this.#entries) {
      const identity = entry.identityOf(accessToken);
      if (identity) return { entry, identity };
    }
    return undefined;
  }

  /** Returns for how long a response puts the entry aside, whatever its token; `undefined` if it is about the token. */
  #limitOf({ status, headers }: RejectingResponse): Limit | undefined {
    const { clock, cooldownAfter402 } = this.#settings;
    const asked = headers && retryAfterOf(headers, clock.now());
    if (status === 429) return { reason: "rate_limited", length: asked ?? AFTER_429 };
    return status === 402 ? { reason: "payment_required", length: asked ?? cooldownAfter402 } : undefined;
  }

  /** Returns a newer token of the same entry. If it has none, puts the entry aside. */
  async #renew(served: Served, rejected: string, options: RejectionOptions): Promise<string | undefined> {
    const { entry } = served;
    const { signal, response } = options;
    const limit = response && this.#limitOf(response);
    try {
      if (!limit) signal?.throwIfAborted();
      const newer = await entry.replaceRejected(rejected, options);
      if (newer === rejected) return undefined;
      this.#onServed(entry, newer, entry.identityAfter(served.identity, newer));
      return newer;
    } catch (error) {
      signal?.throwIfAborted();
      await abortable(this.#setAside(served, this.#limitAfter(error, limit)), signal);
      return undefined;
    }
  }

  /** Returns for how long an entry without a newer token is put aside. */
  #limitAfter(error: unknown, limit: Limit | undefined): Limit {
    if (UnexpiredError.is(error) && error.code === "REFRESH_FAILED")
      return { reason: limit?.reason ?? "rejected", length: error.retryAt - this.#settings.clock.now() };
    if (limit) return limit;
    const isDead = UnexpiredError.is(error) && error.code === "SIGN_IN_REQUIRED";
    return isDead ? { reason: "sign_in_required", length: LONGEST } : { reason: "rejected", length: AFTER_FAILURE };
  }

  #setAside({ entry, identity }: Served, { reason, length: given }: Limit): Promise<void> {
    const { session, digest, accessToken } = identity;
    const isAboutToken = reason === "rejected" || reason === "sign_in_required";
    const length = Math.round(toLength(given));
    return this.#cooldowns.add({
      entry: entry.name,
      reason,
      digest,
      ...(session !== undefined && { session }),
      ...(isAboutToken && { accessToken }),
      until: toTime(this.#settings.clock.now() + length),
      length,
    });
  }

  #announce(cooldown: Cooldown): void {
    const { entry, until } = cooldown;
    if (!this.#names.has(entry)) return;
    this.#listeners.call({ type: "entry-set-aside", entry, reason: reasonOf(cooldown), until });
  }

  source(): string | undefined {
    const isAvailable = (entry: Entry) => this.#statusOf(entry) === undefined;
    if (this.#last && isAvailable(this.#last)) return this.#last.name;
    return this.#entries.find(isAvailable)?.name;
  }

  #statusOf(entry: Entry): EntryStatus | undefined {
    return statusOf(entry, this.#activeOf(entry), this.#settings.clock.now());
  }

  get #statuses(): readonly EntryStatus[] {
    return this.#entries.flatMap((entry) => this.#statusOf(entry) ?? []);
  }

  async why(): Promise<PoolStatus> {
    this.#assertOpen();
    await this.#cooldowns.ready();
    await this.#load(this.#entries);
    const unavailable = this.#statuses;
    const isUnavailable = (name: string) => unavailable.some(({ entry }) => entry === name);
    const available = this.#entries.map(({ name }) => name).filter((name) => !isUnavailable(name));
    const retryAt = available.length === 0 ? earliest(unavailable) : undefined;
    return { available, unavailable, retryAt, sharingProblem: this.#cooldowns.problem };
  }

  #unavailable(): unknown {
    return unavailableError(this.#statuses, {
      reasons: this.#entries.flatMap(({ deadReason }) => deadReason ?? []),
      failures: this.#entries.flatMap(({ deadReason, failure }) => (deadReason ? [] : (failure ?? []))),
      now: this.#settings.clock.now(),
    });
  }

  subscribe(listener: (event: SessionEvent) => void): () => void {
    const stop = [
      this.#listeners.add(listener),
      ...this.#entries.map(({ source }) => source.subscribe?.((event) => listener(event))),
    ];
    return () => {
      for (const each of stop) each?.();
    };
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new TypeError("This token pool is closed. Create a new one.");
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#cooldowns.close();
  }
}
