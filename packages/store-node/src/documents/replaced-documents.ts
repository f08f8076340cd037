import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import type { SessionFormat } from "@unexpired/core";
import { type FileSystem, sameContent } from "../filesystem.ts";
import { ignoreNotFound } from "../fs-errors.ts";
import type { Lock } from "../lock.ts";
import { markOfText } from "./entry.ts";
import type { Replaced, ReplaceObserver } from "./replace-document.ts";
import { ShownMark } from "./shown-mark.ts";

interface Deps {
  readonly fs: FileSystem;
  readonly lock: Lock;
  readonly format: SessionFormat;
  readonly later: (run: () => void, milliseconds: number) => void;
  readonly onLost: () => void;
  /** Called once a document was put back, which may show an old session: it is to be written again. */
  readonly onRestored: () => Promise<void>;
}

/** When to look whether another program has written to a file that was replaced, in milliseconds after the last look. */
const LOOKS = [20, 100, 400, 1_500];
const NAME = /^replaced-(?<at>\d+)-/;
const ABANDONED_AFTER = 60_000; // ms

/**
 * Watches the files that were replaced for two seconds: a program that had one open still writes to it. What it wrote is put
 * back if the document shows only our session in addition to the text that it replaced.
 */
export class ReplacedDocuments implements ReplaceObserver {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  nameOld(): string {
    return `replaced-${this.#deps.fs.now()}-${randomBytes(8).toString("hex")}`;
  }

  onLost(): void {
    this.#deps.onLost();
  }

  onReplaced(replaced: Replaced): void {
    this.#lookLater(replaced, LOOKS);
  }

  #lookLater(replaced: Replaced, [delay, ...looks]: readonly number[]): void {
    if (delay === undefined) void this.#deps.fs.unlink(replaced.oldPath).catch(() => undefined);
    else this.#deps.later(() => void this.#look(replaced, looks).catch(() => undefined), delay);
  }

  async #look(replaced: Replaced, looks: readonly number[]): Promise<void> {
    const { fs } = this.#deps;
    const old = await fs.stat(replaced.oldPath);
    if (!old) return;
    if (sameContent(old, replaced.before)) return this.#lookLater(replaced, looks);
    const release = await this.#deps.lock(dirname(replaced.paths.chain), { wait: async () => undefined });
    if (!release) return this.#lookLater(replaced, looks.length > 0 ? looks : LOOKS.slice(0, 1));
    const shownMark = new ShownMark(fs, replaced.paths.chain, this.#deps.format);
    try {
      await shownMark.announce(await this.#oldMarkIn(replaced));
      await this.#restore(replaced);
    } finally {
      await release();
    }
    await this.#deps.onRestored();
    await shownMark.withdraw();
  }

  /** Returns the mark of the session that was replaced, if it is in the old file still: it must not pass for a new one. */
  async #oldMarkIn({ oldPath, oldText }: Replaced): Promise<string | undefined> {
    const { fs, format } = this.#deps;
    try {
      const mark = markOfText(format, oldText);
      return mark === markOfText(format, (await fs.read(oldPath)).text) ? mark : undefined;
    } catch {
      return undefined; // another program is writing it
    }
  }

  async #restore({ paths: { file, chain }, oldPath, text }: Replaced): Promise<void> {
    const { fs, onLost } = this.#deps;
    const found = await fs.read(file).catch(() => undefined);
    if (found && (await this.#isOurs(found.text, { chain, text })) && sameContent(await fs.stat(file), found.stamp)) {
      await fs.rename(oldPath, file);
      return fs.syncDirectory(dirname(file));
    }
    onLost();
    await fs.unlink(oldPath);
  }

  /** Returns whether a document differs from the new text in nothing but the session, which is another one of our own. */
  async #isOurs(found: string, { chain, text }: { readonly chain: string; readonly text: string }): Promise<boolean> {
    const { fs, format } = this.#deps;
    if (found === text) return true;
    try {
      if (format.print(undefined, found) !== format.print(undefined, text)) return false;
      const [mark, ours] = [markOfText(format, found), markOfText(format, text)];
      const { shown } = await new ShownMark(fs, chain, format).read();
      if (mark === undefined) return ours === undefined || shown.length === 0; // another process has signed out since
      return mark === ours || shown.some((note) => note.mark.startsWith(`${mark}.`)); // another process has written since
    } catch {
      return false; // another program is writing it
    }
  }

  /** Removes the files that processes left behind when they ended, after a minute. */
  async collect(chain: string): Promise<void> {
    const { fs } = this.#deps;
    for (const name of (await ignoreNotFound(fs.list(chain))) ?? []) {
      const { at } = NAME.exec(name)?.groups ?? {};
      if (at && Math.abs(fs.now() - Number(at)) > ABANDONED_AFTER) await fs.unlink(join(chain, name));
    }
  }
}
