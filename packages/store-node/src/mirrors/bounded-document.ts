import { StoreError } from "@unexpired/core";
import { type StoreClock, withLimit } from "../timers.ts";
import type { DocumentText, MirroredDocument } from "./mirrored-document.ts";

/** How long a call may take, in milliseconds. */
const LIMIT = 2_000;
/** How long the text may take to be replaced, in milliseconds. No load waits for it. */
const REPLACE_LIMIT = 10_000;
/** How long all attempts to write the document may take, with the wait for its lock, in milliseconds. */
const UPDATE_LIMIT = 30_000;
const FIRST_PAUSE = 1_000;
const LAST_PAUSE = 60_000;

/** Limits the time of calls. After one that did not respond, the next ones fail at once, for twice as long each time. */
class Bound {
  readonly #location: string;
  readonly #clock: StoreClock;
  /** The number of calls in a row that did not respond. */
  #timeouts = 0;
  /** The monotonic time before which no call is made. */
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(location: string, clock: StoreClock) {
    this.#location = location;
    this.#clock = clock;
  }

  /** @throws StoreError if the call does not respond within the limit, in milliseconds */
  async call<T>(run: () => Promise<T>, milliseconds = LIMIT): Promise<T> {
    const clock = this.#clock;
    if (clock.monotonic() < this.#pausedUntil) throw this.#error();
    const result = await withLimit(run(), { milliseconds, clock, keepAlive: milliseconds === LIMIT }, () => {
      this.#pausedUntil = clock.monotonic() + Math.min(FIRST_PAUSE * 2 ** this.#timeouts++, LAST_PAUSE);
      throw this.#error();
    });
    this.#timeouts = 0;
    return result;
  }

  #error(): StoreError {
    const hint = "It was left alone.";
    return new StoreError("STORE_UNAVAILABLE", { location: this.#location, problem: "did not respond in time", hint });
  }
}

/**
 * The calls into a document and its notes. Nothing waits for ever for one that does not respond, such as an item of a locked
 * keychain. A call that has timed out may still take effect: replacing compares the text first.
 */
export class BoundedDocument {
  readonly #document: MirroredDocument;
  readonly #calls: Bound;
  readonly #noteCalls: Bound;

  constructor(document: MirroredDocument, clock: StoreClock) {
    this.#document = document;
    this.#calls = new Bound(document.describe(), clock);
    this.#noteCalls = new Bound(document.notes?.describe() ?? document.describe(), clock);
  }

  read(): Promise<DocumentText> {
    return this.#calls.call(() => this.#document.read());
  }

  isCurrent(known: DocumentText): Promise<boolean> {
    const document = this.#document;
    return this.#calls.call(async () => document.isCurrent?.(known) ?? (await document.read()).text === known.text);
  }

  replace(before: DocumentText, next: string | undefined): Promise<boolean> {
    return this.#calls.call(() => this.#document.replace(before, next), REPLACE_LIMIT);
  }

  exclusively(update: () => Promise<void>): Promise<void> {
    return this.#calls.call(async () => this.#document.exclusively?.(update) ?? update(), UPDATE_LIMIT);
  }

  primary(): Promise<string | undefined> {
    return this.#noteCalls.call(async () => this.#document.notes?.primary?.());
  }

  claim(id: string): Promise<string> {
    return this.#noteCalls.call(async () => this.#document.notes?.claim?.(id) ?? id);
  }

  shown(): Promise<readonly string[] | undefined> {
    return this.#noteCalls.call(async () => this.#document.notes?.shown());
  }

  setShown(marks: readonly string[]): Promise<void> {
    return this.#noteCalls.call(async () => this.#document.notes?.setShown(marks));
  }

  removeNotes(): Promise<void> {
    return this.#noteCalls.call(async () => this.#document.notes?.remove());
  }
}
