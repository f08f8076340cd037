import { UnexpiredError, withinSentence } from "../errors.ts";
import { locationOf } from "../record/store-location.ts";
import type { Clock, TokenStore } from "../types.ts";
import { withDeadline } from "../util/deadline.ts";
import { redact } from "../util/redact.ts";
import { SerialTask } from "../util/serial-task.ts";
import {
  type Cooldown,
  type CooldownList,
  concerns,
  type Identity,
  isPlausible,
  isSame,
  keyOf,
  parseCooldowns,
  withCooldowns,
} from "./cooldown-list.ts";
import { failureText } from "./failure-text.ts";

/** In milliseconds. A store that does not respond delays a call by this much, once. */
const DEADLINE = 2_000;
/** How old the last look may be, in milliseconds, if the store does not notify, or failed. */
const MAX_STALENESS = 5_000;
const MAX_CONFLICTS = 20;
/** A cooldown that would end later by no more than this many milliseconds is not stored again. */
const TOLERANCE = 1_000;
const LATE = `No response within ${DEADLINE} ms`;
const FOREIGN = "It holds something else, or was written by a newer version. It was left unchanged";
const CONFLICTS = `It rejected ${MAX_CONFLICTS} saves as conflicts`;
/** The messages of the errors of this file. */
const OWN = [LATE, FOREIGN, CONFLICTS];
const EMPTY: CooldownList = { schema: 1, cooldowns: [] };

/** A cooldown that has not ended. */
export interface Active {
  readonly cooldown: Cooldown;
  /** The rest of it, in milliseconds. */
  readonly left: number;
}

interface CooldownDeps {
  readonly store: TokenStore;
  readonly clock: Clock;
  /** Called once for each cooldown that this process sees. */
  readonly onSeen: (cooldown: Cooldown) => void;
}

/**
 * The cooldowns that all processes share. None is ever removed before its end: it is over for everyone as soon as its entry
 * has another session. A store that fails, or holds something else, leaves each process with those that it knows.
 */
export class SharedCooldowns {
  readonly #deps: CooldownDeps;
  #own: readonly Cooldown[] = [];
  #stored: readonly Cooldown[] = [];
  /** The monotonic time when this process first saw a cooldown that was plausible. The wall clock may be set back. */
  #seen = new Map<string, number>();
  #problem: string | undefined;
  /** Whether a cooldown of this process is being saved, or could not be. */
  #isUnsaved = false;
  readonly #loads = new SerialTask(() => this.#guard(() => this.#read()));
  readonly #saves = new SerialTask(() => this.#guard(() => this.#saveAll()));
  /** The first look at the store. */
  #first: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #stopWatching: (() => void) | undefined;
  #isClosed = false;

  constructor(deps: CooldownDeps) {
    this.#deps = deps;
  }

  /** Why the cooldowns of this process are not shared at the moment: a full sentence. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Waits for the first look at the store, and starts later ones in the background. Never rejects. */
  ready(): Promise<void> {
    this.#watch();
    const isNotified = this.#stopWatching !== undefined && this.#problem === undefined;
    const age = this.#deps.clock.monotonic() - this.#lookedAt;
    if (this.#first && (isNotified || age < MAX_STALENESS)) return this.#first;
    this.#lookedAt = this.#deps.clock.monotonic();
    const look = this.#look(this.#isUnsaved ? this.#saves : this.#loads);
    this.#first ??= look;
    return this.#first;
  }

  #watch(): void {
    if (this.#stopWatching || this.#isClosed) return;
    try {
      // it also notifies of what this process saves: a notification that started a save would go on for ever
      this.#stopWatching = this.#deps.store.watch?.(() => void this.#look(this.#loads));
    } catch {
      // looked at now and then
    }
  }

  async #look(task: SerialTask): Promise<void> {
    if (!this.#isClosed) await task.run();
  }

  /** Runs a step that needs the store, and notes whether it failed. */
  async #guard(step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
      if (!this.#isUnsaved) this.#problem = undefined;
    } catch (error) {
      const { message } = redact(error, []);
      const text = OWN.includes(message) ? message : failureText(error);
      this.#problem = `Cooldowns are not shared with other processes (${withinSentence(locationOf(this.#deps.store))}): ${text}.`;
    }
  }

  /** Reads the store. */
  async #read(): Promise<{ readonly list: CooldownList; readonly version: string | undefined }> {
    const { store } = this.#deps;
    const found = await this.#inTime(() => store.load());
    const list = found ? parseCooldowns(found.value) : EMPTY;
    if (!list) throw new Error(FOREIGN);
    this.#stored = list.cooldowns;
    this.#see(list.cooldowns);
    return { list, version: found?.version };
  }

  #see(cooldowns: readonly Cooldown[]): void {
    const { clock, onSeen } = this.#deps;
    const before = this.#seen;
    const [now, monotonic] = [clock.now(), clock.monotonic()];
    this.#seen = new Map();
    for (const cooldown of [...this.#own, ...this.#stored, ...cooldowns]) {
      const key = keyOf(cooldown);
      if (before.has(key) || isPlausible(cooldown, now)) this.#seen.set(key, before.get(key) ?? monotonic);
    }
    this.#own = this.#own.filter((cooldown) => this.#leftOf(cooldown) > 0);
    for (const cooldown of cooldowns) if (!before.has(keyOf(cooldown)) && this.#leftOf(cooldown) > 0) onSeen(cooldown);
  }

  /**
   * Returns the rest of a cooldown by the wall clock, but never more than its length since this process first saw it. Returns 0
   * if it has not been plausible yet.
   */
  #leftOf(cooldown: Cooldown): number {
    const { clock } = this.#deps;
    const seenAt = this.#seen.get(keyOf(cooldown));
    if (seenAt === undefined) return 0;
    return Math.min(cooldown.until - clock.now(), cooldown.length - (clock.monotonic() - seenAt));
  }

  /** Returns whether an entry has a cooldown, whatever session it is about. */
  has(entry: string): boolean {
    return this.#all().some((cooldown) => cooldown.entry === entry && this.#leftOf(cooldown) > 0);
  }

  /** Returns the cooldown of this session that ends last, under any of the names. */
  of(entries: ReadonlySet<string>, identity: Identity): Active | undefined {
    return this.#all()
      .filter((cooldown) => entries.has(cooldown.entry) && concerns(cooldown, identity))
      .map((cooldown) => ({ cooldown, left: this.#leftOf(cooldown) }))
      .filter(({ left }) => left > 0)
      .sort((a, b) => b.left - a.left)[0];
  }

  #all(): readonly Cooldown[] {
    return [...this.#own, ...this.#stored];
  }

  /**
   * Adds a cooldown, which counts at once, and waits until the other processes can see it, unless the store has failed
   * before. Never rejects.
   */
  async add(cooldown: Cooldown): Promise<void> {
    const known = this.#all().find(
      (each) => isSame(each, cooldown) && this.#leftOf(each) > cooldown.length - TOLERANCE,
    );
    if (!known) {
      this.#own = [...this.#own.filter((each) => !isSame(each, cooldown)), cooldown];
      this.#see([cooldown]);
    }
    const hasFailed = this.#problem !== undefined;
    const saving = known && !hasFailed ? this.#saves.settled() : this.#saves.run();
    if (!hasFailed) await saving;
  }

  async #saveAll(): Promise<void> {
    this.#isUnsaved = true;
    for (let conflicts = 0; !(await this.#saveOnce()); conflicts++) {
      if (conflicts === MAX_CONFLICTS) throw new Error(CONFLICTS);
    }
    this.#isUnsaved = false;
  }

  /** Returns `false` after a conflict. */
  async #saveOnce(): Promise<boolean> {
    const { store, clock } = this.#deps;
    const { list, version } = await this.#read();
    const next = withCooldowns(list, this.#own, clock.now());
    if (next === list) return true;
    try {
      await this.#inTime(() => store.save(JSON.stringify(next), version));
      return true;
    } catch (error) {
      if (UnexpiredError.is(error) && error.code === "STORE_CONFLICT") return false;
      throw error;
    }
  }

  #inTime<T>(run: () => Promise<T>): Promise<T> {
    return withDeadline(run, this.#deps.clock, { milliseconds: DEADLINE, message: LATE, keepAlive: false });
  }

  /** Stops watching, and waits for a save that is running. */
  async close(): Promise<void> {
    this.#isClosed = true;
    try {
      this.#stopWatching?.();
    } catch {
      // what is being saved matters more
    }
    await this.#saves.settled();
  }
}
