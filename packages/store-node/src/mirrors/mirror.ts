import { type StoredValue, StoreError, type StoreEvent, UnexpiredError } from "@unexpired/core";
import { primaryOf } from "@unexpired/core/session-record";
import { markOfText, printEntry } from "../documents/entry.ts";
import { codeOf } from "../fs-errors.ts";
import type { StoreClock } from "../timers.ts";
import { BoundedDocument } from "./bounded-document.ts";
import { announced, type Copy, type MirrorStatus, markShown, statusOf } from "./mirror-status.ts";
import type { DocumentText, MirroredDocument } from "./mirrored-document.ts";

/** A document as it was found. `failed`: it could not be read. */
export interface Look {
  readonly found: DocumentText;
  readonly status: MirrorStatus | { readonly kind: "failed"; readonly error: unknown };
  /** The session in it. */
  readonly copy?: Copy | undefined;
  /** The marks of the sessions that it has shown. */
  readonly shown?: readonly string[] | undefined;
  /** The ID of the store whose session it shows, if one is noted. */
  readonly primary?: string | undefined;
}

interface MirrorDeps {
  readonly clock: StoreClock;
  /** Loads what the primary holds. */
  readonly load: () => Promise<StoredValue | undefined>;
  readonly report: (event: StoreEvent) => void;
}

type Failure = StoreEvent & { type: "document-failed" };

/** How long a document may be unparsable, in milliseconds, because another program is writing it. */
const TORN_FOR = 2_000;
const MAX_PRINTS = 10;
const FIRST_RETRY = 1_000;
const LAST_RETRY = 60_000;
const READ_ONLY = ["EROFS", "EACCES", "EPERM"];

/** Keeps one document in step with the primary. */
export class Mirror {
  readonly document: MirroredDocument;
  readonly #calls: BoundedDocument;
  readonly #deps: MirrorDeps;
  /** The last look, which stands as long as neither the record nor the document changes. */
  #known: { readonly value: string | undefined; readonly look: Look } | undefined;
  /** The marks that could not be noted. */
  #unnoted: readonly string[] | undefined;
  /** Since when the document has been unparsable, on the monotonic clock. */
  #tornSince: number | undefined;
  #problem: Failure | undefined;
  #failures = 0;
  /** The monotonic time before which a load does not try again what has failed. */
  #retryAt = Number.NEGATIVE_INFINITY;
  #cancelRetry: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(document: MirroredDocument, deps: MirrorDeps) {
    this.document = document;
    this.#calls = new BoundedDocument(document, deps.clock);
    this.#deps = deps;
  }

  /** The reason why the document does not show the session, if it was reported. */
  get problem(): Failure | undefined {
    return this.#problem;
  }

  /** Whether another look may find a document that is whole. */
  get isTorn(): boolean {
    return this.#tornSince !== undefined && this.#deps.clock.monotonic() < this.#tornSince + TORN_FOR;
  }

  /** Whether a load should write the document: nothing does, and it is time to try again what has failed. */
  get isDue(): boolean {
    return this.#running === undefined && this.#deps.clock.monotonic() >= this.#retryAt;
  }

  /**
   * Compares the document with a record of the primary.
   *
   * @throws ConfigurationError if the document has a store of its own
   */
  async look(value: string | undefined): Promise<Look> {
    const known = this.#known;
    if (known && known.value === value && (await this.#calls.isCurrent(known.look.found).catch(() => false)))
      return known.look;
    this.#known = undefined;
    const look = await this.#read(value).catch((error: unknown): Look => {
      if (UnexpiredError.is(error) && error.code === "CONFIGURATION") throw error;
      return { found: { text: undefined }, status: { kind: "failed", error } };
    });
    this.#judge(look);
    // before the primary moves on: what the document shows by then is then known to be old
    const { mark } = look.copy ?? {};
    const isUnnoted = look.status.kind === "current" && mark !== undefined && !isOnly(mark, look.shown);
    const { format } = this.document;
    if (isUnnoted && value !== undefined && mark === markShown(format, value, look.found.text)) await this.note(mark);
    if (!["failed", "torn"].includes(look.status.kind)) this.#known = { value, look };
    return look;
  }

  async #read(value: string | undefined): Promise<Look> {
    const { document } = this;
    const found = await this.#calls.read();
    const [primary, shown] = await Promise.all([this.#calls.primary(), this.#shown()]);
    const { status, copy } = statusOf(document.format, found.text, { value, shown, now: this.#deps.clock.now() });
    return { found, status, copy, shown, primary };
  }

  async #shown(): Promise<readonly string[] | undefined> {
    const noted = await this.#calls.shown();
    return this.#unnoted ? [...new Set([...(noted ?? []), ...this.#unnoted])] : noted;
  }

  /** Remembers the sessions that the document shows. */
  async note(...marks: readonly string[]): Promise<void> {
    this.#known = undefined;
    try {
      await this.#calls.setShown(marks);
      this.#unnoted = this.document.notes ? undefined : marks;
    } catch {
      this.#unnoted = marks;
    }
  }

  /** Notes the ID of the store that the document shows the session of. Resolves to the ID that is noted now. */
  async claim(id: string): Promise<string> {
    const noted = await this.#calls.claim(id);
    this.#known = undefined;
    return noted;
  }

  /** Writes the session of the primary into the document. Never rejects: what fails is reported, and tried again. */
  update(): Promise<void> {
    if (this.#running !== undefined) {
      // what is running may have read an earlier session
      this.#next ??= this.#running.then(() => {
        this.#next = undefined;
        return this.update();
      });
      return this.#next;
    }
    this.#running = this.#update().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #update(): Promise<void> {
    this.#cancelRetry?.();
    try {
      if (await this.#isStale()) await this.#calls.exclusively(() => this.#print());
      this.#forgetFailures();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Another process may have written it: then there is no need for the lock. */
  async #isStale(): Promise<boolean> {
    const stored = await this.#deps.load().catch(() => undefined); // a later load of the store reports it
    return stored !== undefined && this.#isStaleIn(await this.look(stored.value));
  }

  #isStaleIn({ status: { kind } }: Look): boolean {
    if (kind === "failed") throw documentError(this.document, "could not be read"); // which is reported already
    return kind === "stale";
  }

  async #print(): Promise<void> {
    for (let attempt = 0; attempt < MAX_PRINTS; attempt++) {
      const stored = await this.#deps.load().catch(() => undefined);
      if (!stored) return;
      const look = await this.look(stored.value);
      if (!this.#isStaleIn(look) || !(await this.#isOurs(look, primaryOf(stored.value)))) return;
      await this.#replace(look, stored.value);
    }
    throw documentError(this.document, "changes too often to be written");
  }

  /** Returns whether the document may be written: if it shows the session of another store, the next load reports it. */
  async #isOurs({ primary }: Look, id: string | undefined): Promise<boolean> {
    return id === undefined || (primary ?? (await this.claim(id))) === id;
  }

  async #replace({ found, shown = [] }: Look, value: string): Promise<void> {
    const next = printEntry(this.document.format, value, found.text);
    const mark = markOfText(this.document.format, next);
    const marks = mark === undefined ? [] : [mark];
    await this.note(...new Set([...shown, ...marks.map(announced)])); // either text is one that we know
    if (await this.#calls.replace(found, next)) await this.note(...marks);
  }

  /** Takes the session out of the document, unless it is that of another account. */
  async clear(value: string | undefined): Promise<void> {
    const { format } = this.document;
    for (let attempt = 0; attempt < MAX_PRINTS; attempt++) {
      const { found, status, copy } = await this.look(value);
      if (!copy || status.kind === "other-account") return;
      this.#known = undefined;
      if (await this.#calls.replace(found, format.print(undefined, found.text))) return;
    }
  }

  /** Forgets what was noted about the document. */
  async removeNotes(): Promise<void> {
    await this.#calls.removeNotes();
  }

  /** Reports a problem of the document, or that it is over. */
  #judge({ status }: Look): void {
    const { clock } = this.#deps;
    if (status.kind === "torn") this.#tornSince ??= clock.monotonic();
    else this.#tornSince = undefined;
    switch (status.kind) {
      case "torn":
        if (!this.isTorn) this.#report("unparsable", status.error);
        break;
      case "failed":
        this.#report("unavailable", status.error);
        break;
      case "other-account":
        this.#report("other_account", documentError(this.document, "holds the session of another account"));
        break;
      case "current":
      case "emptied":
        this.#forgetFailures();
        this.#report(undefined);
        break;
      case "foreign":
      case "stale": // it is written next
    }
  }

  #forgetFailures(): void {
    this.#cancelRetry?.();
    this.#failures = 0;
    this.#retryAt = Number.NEGATIVE_INFINITY;
  }

  #fail(error: unknown): void {
    const { cause } = Object(error) as { cause?: unknown };
    const isReadOnly = READ_ONLY.includes(codeOf(cause) ?? codeOf(error) ?? "");
    this.#report(isReadOnly ? "read_only" : "unavailable", error);
    this.updateLater(Math.min(FIRST_RETRY * 2 ** this.#failures, LAST_RETRY));
    this.#failures++;
  }

  /** Writes the session after a number of milliseconds, without keeping the process alive. */
  updateLater(delay: number): void {
    const { clock } = this.#deps;
    this.#retryAt = clock.monotonic() + delay;
    this.#cancelRetry?.();
    this.#cancelRetry = clock.setTimer(() => void this.update(), delay, false);
  }

  #report(reason: Failure["reason"] | undefined, error?: unknown): void {
    if (this.#problem?.reason === reason) return;
    const location = this.document.describe();
    this.#problem = reason && { type: "document-failed", location, reason, message: messageOf(error, location) };
    this.#deps.report(this.#problem ?? { type: "document-recovered", location });
  }
}

const isOnly = (mark: string, shown: readonly string[] = []): boolean => shown.length === 1 && shown[0] === mark;

/** `problem` is a clause about the document. */
const documentError = (document: MirroredDocument, problem: string): StoreError =>
  new StoreError("STORE_UNAVAILABLE", { location: document.describe(), problem, hint: LEFT_ALONE });

const LEFT_ALONE = "It was left alone.";

/** Returns a message about a document. The words of an error that is not ours are not repeated: they may quote the text. */
function messageOf(error: unknown, location: string): string {
  if (UnexpiredError.is(error)) return error.message;
  const code = codeOf(error);
  return `${location} could not be read or written ${code ? `(${code})` : "by its format"}. ${LEFT_ALONE}`;
}
