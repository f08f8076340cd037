import type { Settings } from "../manager/options.ts";
import { createManager } from "../manager/token-manager.ts";
import type { Clock, SessionEvent, TokenManager, TokenStore } from "../types.ts";
import { checkOption } from "../util/check-options.ts";
import { type SessionAccess, sessionAccessOf } from "../util/session-access.ts";
import { storeOption } from "../util/store-option.ts";

/** A session in memory. */
interface Live {
  readonly manager: TokenManager;
  readonly access: SessionAccess;
  /** The number of calls that are running. */
  calls: number;
  /** Monotonic. */
  usedAt: number;
}

interface LiveSessionsDeps {
  readonly settings: Settings;
  readonly store: (key: string) => TokenStore;
  readonly maxLive: number;
  /** Milliseconds. */
  readonly idleTimeout: number;
  onEvent(key: string, event: SessionEvent, access: SessionAccess): void;
}

/** Opens the manager of a session when it is used, and closes it when it is idle, but never under a call. */
export class LiveSessions {
  readonly #deps: LiveSessionsDeps;
  readonly #clock: Clock;
  /** By key; the one that was used last comes last. */
  readonly #live = new Map<string, Live>();
  readonly #closing = new Set<Promise<void>>();
  #cancelTimer: (() => void) | undefined;
  isClosed = false;

  constructor(deps: LiveSessionsDeps) {
    this.#deps = deps;
    this.#clock = deps.settings.clock;
  }

  get size(): number {
    return this.#live.size;
  }

  /** Returns the manager of a session in memory. */
  peek(key: string): TokenManager | undefined {
    return this.#live.get(key)?.manager;
  }

  /** Returns the manager of a session, for what ends at once. */
  open(key: string): TokenManager {
    return this.#use(key).manager;
  }

  /** Runs a call of a session, which is not closed before the call ends. */
  run<T>(key: string, call: (manager: TokenManager) => Promise<T>): Promise<T> {
    try {
      return this.#run(this.#use(key), call);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Like {@link run}, for work that is no use of the session: it is closed again afterwards unless it was in memory. */
  async runAside<T>(key: string, call: (access: SessionAccess) => Promise<T>): Promise<T> {
    const live = this.#live.get(key);
    if (live) return this.#run(live, () => call(live.access));
    const { manager, access } = this.#open(key);
    try {
      return await call(access);
    } finally {
      await manager.close();
    }
  }

  #run<T>(live: Live, call: (manager: TokenManager) => Promise<T>): Promise<T> {
    live.calls++;
    const end = () => {
      live.calls--;
    };
    const result = call(live.manager);
    result.then(end, end);
    return result;
  }

  #use(key: string): Live {
    if (this.isClosed) throw closedError();
    const known = this.#live.get(key);
    if (known) this.#live.delete(key);
    else this.#closeIdle(() => this.#live.size >= this.#deps.maxLive);
    const live = known ?? this.#open(key);
    live.usedAt = this.#clock.monotonic();
    this.#live.set(key, live);
    this.#startTimer();
    return live;
  }

  #open(key: string): Live {
    const store = this.#deps.store(key);
    checkOption("store(key)", [...storeOption, "required"], store);
    const { settings, onEvent } = this.#deps;
    const manager = createManager({ ...settings, store, onEvent: (event) => onEvent(key, event, live.access) });
    const live: Live = { manager, access: sessionAccessOf(manager) as SessionAccess, calls: 0, usedAt: 0 };
    return live;
  }

  /** Closes idle sessions, beginning with those that were not used for the longest time, as long as `isDue` returns `true`. */
  #closeIdle(isDue: (live: Live) => boolean): void {
    for (const [key, live] of this.#live) {
      if (!isDue(live)) return;
      if (live.calls > 0 || !live.access.isIdle()) continue;
      this.#live.delete(key);
      const closing = live.manager.close().catch(() => {}); // it was idle: nothing could be lost
      this.#closing.add(closing);
      void closing.then(() => this.#closing.delete(closing));
    }
  }

  /** One timer for all sessions. It does not keep the process alive. */
  #startTimer(): void {
    const { idleTimeout } = this.#deps;
    if (this.#cancelTimer || idleTimeout === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = this.#clock.setTimer(
      () => {
        this.#cancelTimer = undefined;
        const limit = this.#clock.monotonic() - idleTimeout;
        this.#closeIdle(({ usedAt }) => usedAt <= limit);
        if (this.#live.size > 0) this.#startTimer();
      },
      idleTimeout,
      false,
    );
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.#cancelTimer?.();
    const results = await Promise.allSettled([
      ...[...this.#live.values()].map(({ manager }) => manager.close()),
      ...this.#closing,
    ]);
    this.#live.clear();
    const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1)
      throw new AggregateError(errors, `The refreshed tokens of ${errors.length} sessions were not saved.`);
  }
}

const closedError = () => new TypeError("These sessions are closed. Call createSessions() again.");
