import { join } from "node:path";
import { shownOf } from "@unexpired/core/session-record";
import type { FileSystem } from "../filesystem.ts";
import { codeOf, ignoreNotFound } from "../fs-errors.ts";
import { shownMarkOf } from "./entry.ts";

const NAME = /^shown-(?<mark>[\w-]+)$/;

/** Remembers, beside the chain, which session the document has shown last. Without it, an emptied entry is filled again. */
export class ShownMark {
  readonly #fs: FileSystem;
  readonly #chain: string;

  constructor(fs: FileSystem, chain: string) {
    this.#fs = fs;
    this.#chain = chain;
  }

  /** Returns the mark, and perhaps the one before it, which its writer could not remove. */
  async read(): Promise<readonly string[]> {
    const names = (await ignoreNotFound(this.#fs.list(this.#chain))) ?? [];
    return names.flatMap((name) => NAME.exec(name)?.groups?.mark ?? []);
  }

  /** Remembers that the document shows a record, if records like it are shown. `known` is what `read` has returned. */
  async remember(value: string, known: readonly string[]): Promise<void> {
    if (!shownOf(value)) return;
    const mark = shownMarkOf(value);
    const isKnown = mark === undefined ? known.length === 0 : known.length === 1 && known[0] === mark;
    if (!isKnown) await this.#write(mark);
  }

  /** Replaces the mark; `undefined` removes it. */
  async #write(mark: string | undefined): Promise<void> {
    const before = await this.read();
    if (mark !== undefined && !before.includes(mark)) await this.#create(mark);
    for (const old of before) if (old !== mark) await this.#fs.unlink(this.#pathOf(old));
  }

  async #create(mark: string): Promise<void> {
    await this.#fs.create(this.#pathOf(mark), "", { durable: true }).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error; // another process has just remembered it
    });
  }

  #pathOf(mark: string): string {
    return join(this.#chain, `shown-${mark}`);
  }
}
