import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { SessionFormat } from "@unexpired/core";
import { shownOf } from "@unexpired/core/session-record";
import { type FileSystem, makeDurableDirectory } from "../filesystem.ts";
import { codeOf, ignoreNotFound } from "../fs-errors.ts";
import type { Generation } from "../generations.ts";
import { foundMarkOf, type Marks, type ShownNote, shownMarkOf } from "./entry.ts";

const SHOWN = /^shown-(?<number>\d+)\.(?<mark>[\w-]*\.[\w-]+)$/;
const WRITING = /^writing-(?<at>\d+)\.[0-9a-f]+\.(?<mark>[\w-]+)$/;
/** How long a process may take to write a document, in milliseconds. If it takes longer, it has probably died. */
const ABANDONED_AFTER = 600_000;

type Head = Pick<Generation, "number" | "value">;

function shownNoteIn(name: string): ShownNote | undefined {
  const { number, mark } = SHOWN.exec(name)?.groups ?? {};
  return mark === undefined ? undefined : { number: Number(number), mark };
}

/**
 * Remembers, in the directory of the chain, which session the document has shown last. Without it, an emptied entry is
 * filled again.
 */
export class ShownMark {
  readonly #fs: FileSystem;
  readonly #chain: string;
  readonly #format: SessionFormat;
  /** The names of the files that announce sessions, by mark. */
  readonly #announced = new Map<string, string>();
  /** The marks of sessions whose last write failed: a call that has timed out may still take effect. */
  readonly #failed = new Set<string | undefined>();
  /** The number of writes that this process has not ended. */
  #writes = 0;

  constructor(fs: FileSystem, chain: string, format: SessionFormat) {
    this.#fs = fs;
    this.#chain = chain;
    this.#format = format;
  }

  /** Returns the mark, and perhaps others that their writers did not live to remove. */
  async read(): Promise<Marks> {
    const names = (await ignoreNotFound(this.#fs.list(this.#chain))) ?? [];
    const announced = names.flatMap((name) =>
      this.#isAbandoned(name) ? [] : (WRITING.exec(name)?.groups?.mark ?? []),
    );
    return {
      shown: names.flatMap((name) => shownNoteIn(name) ?? []),
      writing: [...new Set([...announced, ...this.#announced.keys()])], // its own, even if it was suspended since
    };
  }

  #isAbandoned(name: string): boolean {
    const { at } = WRITING.exec(name)?.groups ?? {};
    return at !== undefined && Math.abs(this.#fs.now() - Number(at)) > ABANDONED_AFTER;
  }

  /** Returns whether it is remembered that the document shows a generation. `known` is what `read` has returned. */
  isRemembered(head: Head, known: Marks): boolean {
    if (!shownOf(head.value)) return true;
    const shown = known.shown.filter(({ number }) => number <= head.number);
    const mark = shownMarkOf(this.#format, head.value);
    return shown.length === (mark === undefined ? 0 : 1) && shown[0]?.mark === mark;
  }

  /** Remembers that the document shows a generation, if records like it are shown. `known` is what `read` has returned. */
  async remember(head: Head, known: Marks): Promise<void> {
    if (!this.isRemembered(head, known)) await this.#write(head, shownMarkOf(this.#format, head.value));
  }

  /** Notes that the document shows the session of a record that is about to be published after `head`. */
  async noteFound(head: Head | undefined, value: string): Promise<void> {
    if (!head) await makeDurableDirectory(this.#fs, this.#chain);
    await this.#add({ number: (head?.number ?? 0) + 1, mark: foundMarkOf(value) });
  }

  /**
   * Announces the mark of a session before it is written into the document: if the write is slow, it must not pass for a
   * new session.
   */
  async announce(mark: string | undefined): Promise<void> {
    if (mark === undefined) return;
    const known = this.#announced.get(mark);
    if (known !== undefined && !this.#isAbandoned(known)) return;
    const name = `writing-${this.#fs.now()}.${randomBytes(8).toString("hex")}.${mark}`;
    await this.#fs.create(join(this.#chain, name), "", { durable: false }); // no write is slow after a power failure
    this.#announced.set(mark, name);
    if (known !== undefined) await this.#fs.unlink(join(this.#chain, known));
  }

  /** Runs a function that writes the session with a mark into the document. */
  async whileWriting<T>(mark: string | undefined, write: () => Promise<T>): Promise<T> {
    this.#writes++;
    this.#failed.add(mark); // until it has succeeded
    const result = await write().finally(() => this.#writes--);
    this.#failed.delete(mark);
    return result;
  }

  /**
   * Withdraws what was announced, once the document shows the session, unless something is still being written. If a write
   * failed, its session stays announced for ten minutes.
   */
  async withdraw(): Promise<void> {
    if (this.#writes > 0) return;
    const withdrawn = [...this.#announced].filter(([mark]) => !this.#failed.has(mark));
    for (const [mark] of withdrawn) this.#announced.delete(mark);
    for (const [, name] of withdrawn) await this.#fs.unlink(join(this.#chain, name)).catch(() => undefined);
  }

  /** Forgets what the document has shown until a generation: it may be written again without a session. */
  forget(head: Head): Promise<void> {
    return this.#write(head, undefined);
  }

  /** Replaces the marks until a generation, which another process may have replaced since; `undefined` removes them. */
  async #write({ number }: Head, mark: string | undefined): Promise<void> {
    const names = await this.#fs.list(this.#chain);
    const note = mark === undefined ? undefined : { number, mark };
    const isOld = (name: string): boolean => {
      const shown = shownNoteIn(name);
      if (!shown) return this.#isAbandoned(name);
      return shown.number < number || (shown.number === number && shown.mark !== mark);
    };
    if (note) await this.#add(note);
    for (const name of names.filter(isOld)) await this.#fs.unlink(join(this.#chain, name));
  }

  async #add({ number, mark }: ShownNote): Promise<void> {
    const path = join(this.#chain, `shown-${number}.${mark}`);
    if (await this.#fs.stat(path)) return;
    await this.#fs.create(path, "", { durable: true }).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error; // another process has just noted it
    });
  }
}
