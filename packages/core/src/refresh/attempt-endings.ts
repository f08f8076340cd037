import { keyOf, type SessionRecord } from "../record/record.ts";
import type { Stored } from "../record/record-store.ts";
import { HOLD } from "./attempt-tracker.ts";
import type { RefreshDeps, RefreshHost } from "./renewal.ts";

const RETRY_INTERVAL = 1_000;
const KEPT = 16;

/** How an attempt ended. */
export interface Ending {
  /** Applies it to the record that holds the attempt. For a claim that was not used, restores the attempt before it. */
  readonly apply: (record: SessionRecord) => SessionRecord;
  /** The reason of a failure. */
  readonly error?: Error;
}

interface PendingEnding extends Ending {
  /** The monotonic time until which it is saved again and again; `undefined` if it needs no saving. */
  retryUntil?: number | undefined;
}

type EndingsDeps = Pick<RefreshDeps, "records" | "clock">;
type EndingsHost = Pick<RefreshHost, "session" | "observe">;

/** How the latest attempts have ended, as far as this process knows, and whether the store knows it, too. */
export class AttemptEndings {
  readonly #deps: EndingsDeps;
  readonly #host: EndingsHost;
  /** By the key of the attempt. Created when it is needed: a server holds thousands. */
  #endings: Map<string, PendingEnding> | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(deps: EndingsDeps, host: EndingsHost) {
    this.#deps = deps;
    this.#host = host;
  }

  /** Returns how the record's attempt has ended, if this process knows. */
  of({ attempt }: SessionRecord): PendingEnding | undefined {
    return attempt && this.#endings?.get(keyOf(attempt));
  }

  /** Applies what this process knows about the record's attempt, and saves it if another program has put back the claim. */
  applyTo(record: SessionRecord): SessionRecord {
    const { attempt } = record;
    const ending = this.of(record);
    if (!attempt || !ending) return record;
    const ended = ending.apply(record);
    const isPutBack = attempt.status === "claimed" && ended !== record;
    if (isPutBack && !this.#isPending(ending)) this.endLater(keyOf(attempt), ending);
    return ended;
  }

  /** Whether the store knows all of them, or no process waits for the others any more. */
  get areSaved(): boolean {
    return ![...(this.#endings?.values() ?? [])].some((ending) => this.#isPending(ending));
  }

  #isPending({ retryUntil = Number.NEGATIVE_INFINITY }: PendingEnding): boolean {
    return this.#deps.clock.monotonic() < retryUntil;
  }

  /**
   * Records how an attempt ended. If the store does not accept it, this process remembers it and tries again: others see
   * that we are alive, and would wait for an attempt that has ended.
   */
  async end(key: string, ending: Ending, known: Stored | undefined): Promise<void> {
    this.remember(key, ending);
    try {
      await this.save(key, known);
    } catch {
      const { record } = this.#host.session; // a sign-in or sign-out may have replaced it
      if (record && this.of(record)) this.#host.observe(ending.apply(record), "store");
      this.endLater(key, ending);
    }
  }

  /** Records how an attempt ended as soon as the store accepts it. */
  endLater(key: string, ending: Ending): void {
    const retryUntil = this.#deps.clock.monotonic() + HOLD; // by then, no process waits for the attempt
    this.remember(key, { ...ending, retryUntil });
    this.#retryLater();
  }

  /** Remembers how an attempt ended, and saves it only together with another change. */
  remember(key: string, ending: PendingEnding): void {
    this.#endings ??= new Map();
    this.#endings.set(key, ending);
    for (const oldest of this.#endings.keys()) if (this.#endings.size > KEPT) this.#endings.delete(oldest);
  }

  /** Saves the end of an attempt, unless the record has another one by then. */
  async save(key: string, known: Stored | undefined): Promise<void> {
    const { records } = this.#deps;
    const ending = this.#endings?.get(key);
    for (let stored = known; ending && stored; stored = await records.load()) {
      const { attempt } = stored.record;
      if (!attempt || keyOf(attempt) !== key) break;
      const saved = await records.save(ending.apply(stored.record), stored);
      if (!saved) continue;
      this.#host.observe(saved.current, "store");
      break;
    }
    const latest = this.#endings?.get(key); // a load may have found the claim in the meantime
    if (latest) latest.retryUntil = undefined;
  }

  /** @throws StoreError */
  async flush(): Promise<void> {
    for (const [key, ending] of this.#endings ?? []) {
      if (this.#isPending(ending)) await this.save(key, await this.#deps.records.load());
    }
  }

  #retryLater(): void {
    this.#cancelRetry?.();
    const retry = () => void this.flush().catch(() => this.#retryLater());
    this.#cancelRetry = this.#deps.clock.setTimer(retry, RETRY_INTERVAL, false);
  }
}
