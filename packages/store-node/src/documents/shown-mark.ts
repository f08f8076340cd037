import { join } from "node:path";
import type { FileSystem } from "../filesystem.ts";
import { ignoreNotFound } from "../fs-errors.ts";

const NAME = /^shown-(?<mark>[\w.~-]+)$/;

/** Remembers, beside the chain, which session the document has shown last. Without it, an emptied entry is filled again. */
export class ShownMark {
  readonly #fs: FileSystem;
  readonly #chain: string;

  constructor(fs: FileSystem, chain: string) {
    this.#fs = fs;
    this.#chain = chain;
  }

  /** Returns the mark, and perhaps others that their writers did not live to remove. */
  async read(): Promise<readonly string[]> {
    const names = (await ignoreNotFound(this.#fs.list(this.#chain))) ?? [];
    return names.flatMap((name) => NAME.exec(name)?.groups?.mark ?? []);
  }

  /** Replaces the mark; `undefined` removes it. */
  async write(mark: string | undefined): Promise<void> {
    const before = await this.read();
    if (mark !== undefined) await this.add(mark);
    for (const old of before) if (old !== mark) await this.#fs.unlink(this.#pathOf(old));
  }

  /** Adds a mark to the one that is there. */
  async add(mark: string): Promise<void> {
    const path = this.#pathOf(mark);
    if (!(await this.#fs.stat(path))) await this.#fs.create(path, "", { durable: true });
  }

  #pathOf(mark: string): string {
    return join(this.#chain, `shown-${mark}`);
  }
}
