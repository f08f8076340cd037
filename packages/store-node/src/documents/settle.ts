import { type StoredValue, StoreError } from "@unexpired/core";
import { signedOutRecord } from "@unexpired/core/session-record";
import { codeOf } from "../fs-errors.ts";
import { later, nodeClock, pause } from "../timers.ts";
import type { EntryStatus } from "./entry.ts";
import { PassingState } from "./passing-state.ts";

/** The stored session and the entry that shows it to another program, at one moment. */
export interface EntrySnapshot {
  readonly status: EntryStatus;
  readonly stored: StoredValue | undefined;
  /** The latest session of the store; `undefined` if it has no session. */
  readonly head: { readonly value: string } | undefined;
  /** Whether it is remembered that the entry shows the session. */
  readonly isRemembered: boolean;
  /** The version over which a save replaces an entry as it is: one that is unreadable, or that was emptied. */
  readonly overwriteVersion: string | undefined;
  /** Differs if the document was written, as far as that shows; `undefined` if it does not exist. */
  readonly textId: string | undefined;
}

/** How a store waits. */
export interface EntryTimers {
  /** Resolves after a number of milliseconds. */
  readonly pause: (milliseconds: number) => Promise<void>;
  /** Calls back after a number of milliseconds, without keeping the process alive. */
  readonly later: (run: () => void, milliseconds: number) => void;
  /** Milliseconds since an arbitrary moment; never jumps. */
  readonly monotonic: () => number;
}

export const systemTimers: EntryTimers = { pause, later, monotonic: nodeClock.monotonic };

/** The operations of a store that brings its session and another program's entry together. */
export interface EntryDeps<Snapshot extends EntrySnapshot> extends EntryTimers {
  /** The current time in epoch milliseconds. */
  readonly now: () => number;
  /** Writes the session into the entry, also into a blank one with `canFill`. */
  readonly print: (snapshot: Snapshot, options?: { readonly canFill: boolean }) => Promise<unknown>;
  readonly save: (value: string, expected: string | undefined) => Promise<unknown>;
  /** Notes that the entry shows the session of a record that is about to be saved. */
  readonly noteFound: (snapshot: Snapshot, value: string) => Promise<void>;
  /** Finishes a write that another process of this library has left half-done. Returns whether it found one. */
  readonly finish: (snapshot: Snapshot) => Promise<boolean>;
  /** Creates the error about a document that stays torn. */
  readonly unreadableError: (snapshot: Snapshot) => StoreError;
}

/** How long an entry holds no session, in milliseconds, before that counts as a sign-out: it may be rewritten in steps. */
const SIGNED_OUT_AFTER = 1_000;
/** How long a document may be unreadable, in milliseconds, because another program is writing it. */
const TORN_FOR = 2_000;
const TORN_INTERVAL = 50;
const MAX_LOOKS = 100;

/** Brings a stored session and the entry of another program's document together. */
export class EntrySettler<Snapshot extends EntrySnapshot> {
  readonly #deps: EntryDeps<Snapshot>;
  readonly #listeners = new Set<() => void>();
  readonly #passing: PassingState;
  #isLookPlanned = false;
  /** Whether this process has found the session in the document. */
  isSeen = false;

  constructor(deps: EntryDeps<Snapshot>) {
    this.#deps = deps;
    this.#passing = new PassingState(deps.monotonic);
  }

  /** Calls back when it is time to look at an emptied entry again. Returns a function that stops this. */
  onLookAgain(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Reads until the session can be used, and does what the entry needs before that.
   *
   * @throws StoreError
   */
  async load(location: string, read: () => Promise<Snapshot>): Promise<Snapshot> {
    for (let look = 0; look < MAX_LOOKS; look++) {
      const snapshot = await read();
      if (await this.#isSettled(snapshot)) return snapshot;
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      location,
      problem: "is changed by another program too often to be read",
      hint: "Try again.",
    });
  }

  /** Brings the store and the entry together. Returns whether the snapshot can be used; otherwise, it is out of date. */
  async #isSettled(snapshot: Snapshot): Promise<boolean> {
    const { status } = snapshot;
    const elapsed = this.#elapsed(snapshot);
    switch (status.kind) {
      case "current":
        await this.#onCurrent(snapshot);
        return true;
      case "stale":
        await this.#deps.print(snapshot).catch(() => undefined); // the store alone holds the session
        return true;
      case "foreign":
        return !(await this.#publish(snapshot, status.value));
      case "emptied":
        if (elapsed < SIGNED_OUT_AFTER) return this.#wait(SIGNED_OUT_AFTER - elapsed, this.isSeen);
        return this.#onEmptied(snapshot);
      case "blank":
        if (elapsed < SIGNED_OUT_AFTER) return this.#wait(SIGNED_OUT_AFTER - elapsed, true);
        return this.#fill(snapshot);
      case "torn":
        await this.#onTorn(snapshot, elapsed);
        return false;
    }
  }

  async #onCurrent(snapshot: Snapshot): Promise<void> {
    if (!snapshot.stored) return;
    this.isSeen = true;
    if (!snapshot.isRemembered) await this.#deps.print(snapshot).catch(() => undefined); // its writer died before it had
  }

  /** Stores a sign-out, unless a process has died over the entry. Returns whether the snapshot can be used. */
  async #onEmptied(snapshot: Snapshot): Promise<boolean> {
    const isFinished = await this.#tryFinish(snapshot);
    return isFinished === undefined || !(isFinished || (await this.#signOut(snapshot)));
  }

  /** Writes an entry that has been blank for long enough. Returns `false` if another process had begun to. */
  async #fill(snapshot: Snapshot): Promise<boolean> {
    const isFinished = await this.#tryFinish(snapshot);
    if (isFinished !== false) return isFinished === undefined;
    await this.#deps.print(snapshot, { canFill: true }).catch(() => undefined);
    return true;
  }

  async #onTorn(snapshot: Snapshot, elapsed: number): Promise<void> {
    if (elapsed < TORN_FOR) await this.#deps.pause(TORN_INTERVAL);
    else if (!(await this.#tryFinish(snapshot))) throw this.#deps.unreadableError(snapshot);
  }

  /** Finishes a write. Returns `undefined` if that fails: then the store alone holds the session. */
  #tryFinish(snapshot: Snapshot): Promise<boolean | undefined> {
    return this.#deps.finish(snapshot).catch(() => undefined);
  }

  /** Returns for how many milliseconds this process has found the document in a state that may pass. */
  #elapsed({ status: { kind }, stored, textId }: Snapshot): number {
    if (["emptied", "blank", "torn"].includes(kind)) {
      return this.#passing.elapsed({ kind, textId, version: stored?.version });
    }
    this.#passing.end();
    return 0;
  }

  /**
   * Looks again later if the session can be used until then and a listener can be told; otherwise waits. Returns whether it
   * is used.
   */
  async #wait(milliseconds: number, canUse: boolean): Promise<boolean> {
    const isUsed = canUse && this.#listeners.size > 0;
    if (isUsed) this.lookAgain(milliseconds);
    else await this.#deps.pause(milliseconds);
    return isUsed;
  }

  /** Tells the listeners, after a number of milliseconds, to look at the entry. */
  lookAgain(milliseconds = SIGNED_OUT_AFTER): void {
    if (this.#isLookPlanned) return;
    this.#isLookPlanned = true;
    this.#deps.later(() => {
      this.#isLookPlanned = false;
      for (const listener of this.#listeners) listener();
    }, milliseconds);
  }

  /** Publishes a session of another program before it is used. Returns `false` if it cannot be written. */
  async #publish(snapshot: Snapshot, value: string): Promise<boolean> {
    this.isSeen = true;
    await this.#deps.noteFound(snapshot, value).catch(() => undefined); // the other program may sign out at once
    return this.#deps.save(value, snapshot.stored?.version).then(
      () => true,
      (error: unknown) => codeOf(error) === "STORE_CONFLICT",
    );
  }

  /** Stores the sign-out of another program, if the entry is still empty. */
  async #signOut({ head, overwriteVersion }: Snapshot): Promise<boolean> {
    if (!head) return false;
    const value = signedOutRecord(head.value, this.#deps.now());
    await this.#deps.save(value, overwriteVersion).catch((error: unknown) => {
      if (codeOf(error) !== "STORE_CONFLICT") throw error;
    });
    return true;
  }
}
