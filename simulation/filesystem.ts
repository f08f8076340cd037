import { dirname } from "node:path";
import type { FileSystem, Stamp } from "../packages/store-node/src/filesystem.ts";
import { errnoError } from "../packages/store-node/src/problems.ts";

interface File {
  readonly object: string;
  readonly text: string;
  readonly modified: bigint;
}

type Content = { readonly kind: "directory"; readonly stamp: Stamp } | { kind: "file"; file: File };

/** A small disk: files, directories and hard links, whose calls each happen at once. */
export class Disk {
  /** Counts changes. */
  changes = 0;
  readonly #entries = new Map<string, Content>();
  readonly #now: () => number;
  #objects = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.makeDirectory("/home");
  }

  /** A file's text, for those who look from outside. */
  textOf(path: string): string | undefined {
    const found = this.#entries.get(path);
    return found?.kind === "file" ? found.file.text : undefined;
  }

  list(directory: string): string[] {
    if (this.#entries.get(directory)?.kind !== "directory") throw errnoError("ENOENT");
    const prefix = `${directory}/`;
    return [...this.#entries.keys()]
      .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes("/"))
      .map((path) => path.slice(prefix.length));
  }

  read(path: string): { text: string; stamp: Stamp } {
    const file = this.#file(path);
    return { text: file.text, stamp: stampOf(file) };
  }

  stat(path: string): Stamp | undefined {
    const found = this.#entries.get(path);
    return found && (found.kind === "file" ? stampOf(found.file) : found.stamp);
  }

  create(path: string, text: string): Stamp {
    if (this.#entries.has(path)) throw errnoError("EEXIST");
    this.#requireParent(path);
    return this.#put(path, text, `${++this.#objects}`);
  }

  /** What a foreign program does too: any text, in place, also into a file that was not there. */
  overwrite(path: string, text: string): Stamp {
    const found = this.#entries.get(path);
    return this.#put(path, text, found?.kind === "file" ? found.file.object : `${++this.#objects}`);
  }

  link(from: string, to: string): void {
    const file = this.#file(from);
    if (this.#entries.has(to)) throw errnoError("EEXIST");
    this.#requireParent(to);
    this.#set(to, { kind: "file", file });
  }

  rename(from: string, to: string): void {
    const found = this.#entries.get(from);
    if (!found) throw errnoError("ENOENT");
    this.#requireParent(to);
    if (found.kind === "directory" && this.#entries.has(to)) throw errnoError("ENOTEMPTY");
    for (const [path, content] of [...this.#entries]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.#entries.delete(path);
      this.#set(to + path.slice(from.length), content);
    }
  }

  unlink(path: string): void {
    this.changes++;
    this.#entries.delete(path);
  }

  removeDirectory(path: string): void {
    this.changes++;
    for (const each of [...this.#entries.keys()]) {
      if (each === path || each.startsWith(`${path}/`)) this.#entries.delete(each);
    }
  }

  makeDirectory(path: string): string | undefined {
    if (this.#entries.has(path)) return undefined;
    const above = path === "/" ? undefined : this.makeDirectory(dirname(path));
    const stamp = { object: `${++this.#objects}`, modified: 0n, size: 0n };
    this.#set(path, { kind: "directory", stamp });
    return above ?? path;
  }

  #put(path: string, text: string, object: string): Stamp {
    const file = { object, text, modified: BigInt(Math.floor(this.#now() * 1e6)) };
    this.#set(path, { kind: "file", file });
    return stampOf(file);
  }

  #set(path: string, content: Content): void {
    this.changes++;
    this.#entries.set(path, content);
  }

  #file(path: string): File {
    const found = this.#entries.get(path);
    if (!found) throw errnoError("ENOENT");
    if (found.kind === "directory") throw errnoError("EISDIR");
    return found.file;
  }

  #requireParent(path: string): void {
    if (this.#entries.get(dirname(path))?.kind !== "directory") throw errnoError("ENOENT");
  }
}

const stampOf = ({ object, text, modified }: File): Stamp => ({ object, modified, size: BigInt(text.length) });

/** How one call of a process gets to the disk: `label` names it, `perform` does it. */
export type Perform = <T>(call: keyof FileSystem, path: string, perform: () => T) => Promise<T>;

/** The file system port over a disk, each call an event. */
export const fileSystemOver = (disk: Disk, perform: Perform): FileSystem => ({
  list: (directory) => perform("list", directory, () => disk.list(directory)),
  read: (path) => perform("read", path, () => disk.read(path)),
  stat: (path) => perform("stat", path, () => disk.stat(path)),
  create: (path, text) => perform("create", path, () => disk.create(path, text)),
  overwrite: (path, text) => perform("overwrite", path, () => disk.overwrite(path, text)),
  link: (from, to) => perform("link", to, () => disk.link(from, to)),
  rename: (from, to) => perform("rename", to, () => disk.rename(from, to)),
  unlink: (path) => perform("unlink", path, () => disk.unlink(path)),
  removeDirectory: (path) => perform("removeDirectory", path, () => disk.removeDirectory(path)),
  makeDirectory: (path) => perform("makeDirectory", path, () => disk.makeDirectory(path)),
  syncDirectory: (path) => perform("syncDirectory", path, () => undefined),
  resolve: async (path) => path,
});
