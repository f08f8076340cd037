import { dirname } from "node:path";
import type { Lock } from "../lock.ts";
import type { SessionPaths } from "../paths.ts";
import type { DocumentSnapshot, SessionDocument, UpdateOptions } from "./document.ts";

const MAX_LOCKS = 10;

/** Writes sessions into a document, one process at a time. What it cannot write, a later load does. */
export class DocumentPrinter {
  readonly #document: SessionDocument;
  readonly #lock: Lock;

  constructor(document: SessionDocument, lock: Lock) {
    this.#document = document;
    this.#lock = lock;
  }

  /** Writes the session. Returns the document as it is then. */
  print(paths: SessionPaths, options?: UpdateOptions): Promise<DocumentSnapshot | undefined> {
    return this.#whileLocked(paths, () => this.#document.update(paths, options));
  }

  /** Writes a document that has been blank for long enough. Returns whether another process had begun to, as `finish`. */
  async fill(paths: SessionPaths): Promise<boolean> {
    if (await this.finish(paths)) return true;
    await this.print(paths, { overBlank: true });
    return false;
  }

  /**
   * Finishes a write that another user of this library has left half-done. Returns `false` if it finds nothing; if the lock
   * is not free, another process may be at it.
   */
  async finish(paths: SessionPaths): Promise<boolean> {
    return (await this.#whileLocked(paths, () => this.#document.finish(paths))) !== false;
  }

  /** Holds the lock of the document, which all of its entries share. Returns `undefined` if it is not free. */
  async #whileLocked<T>(paths: SessionPaths, task: () => Promise<T>): Promise<T | undefined> {
    let release: Awaited<ReturnType<Lock>>;
    for (let attempt = 0; attempt < MAX_LOCKS && !release; attempt++) {
      release = await this.#lock(dirname(paths.chain), { wait: async () => undefined });
    }
    if (!release) return undefined;
    try {
      return await task();
    } finally {
      await release();
    }
  }
}
