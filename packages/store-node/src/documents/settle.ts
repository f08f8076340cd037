import { type StoredValue, StoreError } from "@unexpired/core";
import { signedOutRecord } from "@unexpired/core/session-record";
import { codeOf } from "../fs-errors.ts";
import { later, pause } from "../timers.ts";
import type { EntryStatus } from "./entry.ts";

/** The stored session and the entry that shows it to another program, at one moment. */
export interface EntrySnapshot {
  readonly status: EntryStatus;
  readonly stored: StoredValue | undefined;
  /** The latest session of the store; `undefined` if there is none. */
  readonly head: { readonly value: string } | undefined;
}

/** How a store waits. */
export interface EntryTimers {
  /** Resolves after a number of milliseconds. */
  readonly pause: (milliseconds: number) => Promise<void>;
  /** Calls back after a number of milliseconds, without keeping the process alive. */
  readonly later: (run: () => void, milliseconds: number) => void;
}

export const systemTimers: EntryTimers = { pause, later };

/** The operations of a store that brings its session and another program's entry together. */
export interface EntryDeps<Snapshot extends EntrySnapshot> extends EntryTimers {
  /** The current time in epoch milliseconds. */
  readonly now: () => number;
  /** Writes the session into the entry. */
  readonly print: (snapshot: Snapshot) => Promise<unknown>;
  readonly save: (value: string, expected: string | undefined) => Promise<unknown>;
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
  /** Since when this process has found the entry empty, or the document unreadable, in epoch milliseconds. */
  #since: { readonly kind: EntryStatus["kind"]; readonly at: number } | undefined;
  /** Whether this process has found the session in the document. */
  isSeen = false;

  constructor(deps: EntryDeps<Snapshot>) {
    this.#deps = deps;
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
    const { status, stored } = snapshot;
    const elapsed = this.#elapsed(status.kind);
    switch (status.kind) {
      case "current":
        if (stored) this.isSeen = true;
        return true;
      case "stale":
        await this.#deps.print(snapshot).catch(() => undefined); // the store alone holds the session
        return true;
      case "foreign":
        return !(await this.#publish(snapshot, status.value));
      case "emptied":
        if (elapsed >= SIGNED_OUT_AFTER) return !(await this.#signOut(snapshot));
        if (this.isSeen) this.#lookAgain(SIGNED_OUT_AFTER - elapsed);
        else await this.#deps.pause(SIGNED_OUT_AFTER - elapsed);
        return this.isSeen;
      case "torn":
        if (elapsed >= TORN_FOR) throw this.#deps.unreadableError(snapshot);
        await this.#deps.pause(TORN_INTERVAL);
        return false;
    }
  }

  /** Returns for how many milliseconds this process has found the document in a state that may pass. */
  #elapsed(kind: EntryStatus["kind"]): number {
    const now = this.#deps.now();
    if (kind !== "emptied" && kind !== "torn") this.#since = undefined;
    else if (this.#since?.kind !== kind) this.#since = { kind, at: now };
    return this.#since ? now - this.#since.at : 0;
  }

  #lookAgain(milliseconds: number): void {
    this.#deps.later(() => {
      for (const listener of this.#listeners) listener();
    }, milliseconds);
  }

  /** Publishes a session of another program before it is used. Returns `false` if it cannot be written. */
  async #publish({ stored }: Snapshot, value: string): Promise<boolean> {
    this.isSeen = true;
    return this.#deps.save(value, stored?.version).then(
      () => true,
      (error: unknown) => codeOf(error) === "STORE_CONFLICT",
    );
  }

  async #signOut({ head, stored }: Snapshot): Promise<boolean> {
    if (!head) return false;
    await this.#deps.save(signedOutRecord(head.value, this.#deps.now()), stored?.version).catch((error: unknown) => {
      if (codeOf(error) !== "STORE_CONFLICT") throw error;
    });
    return true;
  }
}
