import { createHash } from "node:crypto";
import { dirname } from "node:path";
import type { Stamp } from "../../packages/store-node/src/filesystem.ts";
import { errnoError } from "../../packages/store-node/src/fs-errors.ts";

interface File {
  readonly fileId: string;
  readonly text: string;
  readonly modified: bigint;
  /** Whether the text survives a power failure. */
  readonly isSynced: boolean;
}

type Content = { readonly kind: "directory"; readonly stamp: Stamp } | { readonly kind: "file"; readonly file: File };
type Entry = readonly [path: string, content: Content];

/** One change of names. A power failure undoes it as a whole, unless one of its directories has been synced since. */
interface Change {
  readonly at: number;
  readonly directories: readonly string[];
  readonly names: readonly { readonly path: string; readonly before?: Content; readonly after?: Content }[];
}

const WRITTEN_BACK = 30_000; // ms; how long an operating system keeps writes in memory at most

/** A small disk with files, directories and hard links. Each call is atomic. */
export class Disk {
  isFull = false;
  /** The path of a file that is a mount point itself: it can neither be replaced nor removed. */
  mounted: string | undefined;
  readonly #entries = new Map<string, Content>();
  readonly now: () => number;
  #lastFileId = 0;
  #changes: Change[] = [];

  constructor(now: () => number) {
    this.now = now;
    this.makeDirectory("/home");
    this.sync("/");
  }

  /** Returns the text of a file without a simulated call. */
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

  create(path: string, text: string, { durable }: { readonly durable: boolean }): Stamp {
    if (this.#entries.has(path)) throw errnoError("EEXIST");
    this.#requireParent(path);
    this.#requireRoom();
    return this.#write(path, text, durable);
  }

  /** Empties a file in place. */
  truncate(path: string): void {
    this.writeInto(this.#file(path).fileId, "", false);
  }

  /** Writes into a file in place, durably. */
  overwrite(path: string, text: string): Stamp {
    const { fileId } = this.#file(path);
    this.#requireRoom();
    this.writeInto(fileId, text, true);
    return stampOf(this.#file(path));
  }

  /** Writes into an open file, under whatever names it has by now, if any. */
  writeInto(fileId: string, text: string, isSynced: boolean): void {
    for (const [path, content] of this.#entries) {
      if (content.kind === "file" && content.file.fileId === fileId) this.#write(path, text, isSynced);
    }
  }

  /** Replaces a file, or creates it, with a new one that is synced. */
  replace(path: string, text: string): void {
    this.#requireParent(path);
    const fileId = `${++this.#lastFileId}`;
    const file = { fileId, text, isSynced: true, modified: BigInt(Math.floor(this.now() * 1e6)) };
    this.#change([{ path, after: { kind: "file", file } }]);
  }

  /** Writes as another program would: in place; creates the file if it is missing. */
  put(path: string, text: string): void {
    if (this.stat(dirname(path))) this.#write(path, text, false);
  }

  copy(from: string, to: string): string {
    const { text } = this.#file(from);
    this.create(to, text, { durable: true });
    return createHash("sha256").update(text).digest("hex");
  }

  link(from: string, to: string): void {
    const file = this.#file(from);
    if (this.#entries.has(to)) throw errnoError("EEXIST");
    this.#requireParent(to);
    this.#change([{ path: to, after: { kind: "file", file } }]);
  }

  rename(from: string, to: string): void {
    const moved = this.#below(from);
    if (moved.length === 0) throw errnoError("ENOENT");
    this.#requireParent(to);
    if (this.#isMounted(to)) throw errnoError("EBUSY");
    if (moved[0]?.[1].kind === "directory" && this.#entries.has(to)) throw errnoError("ENOTEMPTY");
    const gone = moved.map(([path]) => ({ path }));
    this.#change([...gone, ...moved.map(([path, after]) => ({ path: to + path.slice(from.length), after }))]);
  }

  unlink(path: string): void {
    if (this.#isMounted(path)) throw errnoError("EBUSY");
    if (this.#entries.has(path)) this.#change([{ path }]);
  }

  removeDirectory(path: string): void {
    this.#change(this.#below(path).map(([each]) => ({ path: each })));
  }

  removeEmptyDirectory(path: string): void {
    if (this.#below(path).length > 1) throw errnoError("ENOTEMPTY");
    this.removeDirectory(path);
  }

  makeDirectory(path: string): string | undefined {
    if (this.#entries.has(path)) return undefined;
    const above = path === "/" ? undefined : this.makeDirectory(dirname(path));
    const stamp = { fileId: `${++this.#lastFileId}`, modified: 0n, size: 0n };
    this.#change([{ path, after: { kind: "directory", stamp } }]);
    return above ?? path;
  }

  /** Makes the names in a directory durable. */
  sync(directory: string): void {
    this.#changes = this.#changes.filter(({ directories }) => !directories.includes(directory));
    this.#writeBack();
  }

  /** The number of changes of names that a power failure may undo. */
  get unsynced(): number {
    this.#writeBack();
    return this.#changes.length;
  }

  /** Undoes the last `lost` unsynced changes of names, and spoils the unsynced texts. */
  cutPower(lost: number, spoil: (text: string) => string): void {
    const undone = this.#changes.slice(this.unsynced - lost).reverse();
    for (const { path, before, after } of undone.flatMap(({ names }) => names)) {
      if (this.#entries.get(path) === after) this.#set(path, before);
    }
    this.#changes = [];
    for (const [path, content] of this.#entries) {
      if (content.kind === "file") this.#entries.set(path, { kind: "file", file: this.#restart(content.file, spoil) });
    }
  }

  #restart(file: File, spoil: (text: string) => string): File {
    const isKept = file.isSynced || Number(file.modified) / 1e6 < this.now() - WRITTEN_BACK;
    return { ...file, text: isKept ? file.text : spoil(file.text), isSynced: true };
  }

  /** Removes a directory with its content, as unmounting a disk does, which syncs everything first. */
  detach(directory: string): readonly Entry[] {
    const taken = this.#below(directory);
    const isWithin = (path: string) => path === directory || path.startsWith(`${directory}/`);
    this.#changes = this.#changes.filter(({ directories }) => !directories.some(isWithin));
    this.#set(directory, undefined);
    return taken;
  }

  /** Puts back a detached directory, replacing the current one. */
  attach(directory: string, taken: readonly Entry[]): void {
    this.#set(directory, undefined);
    for (const [path, content] of taken) this.#entries.set(path, content);
  }

  #writeBack(): void {
    this.#changes = this.#changes.filter(({ at }) => at > this.now() - WRITTEN_BACK);
  }

  #write(path: string, text: string, isSynced: boolean): Stamp {
    const found = this.#entries.get(path);
    const fileId = found?.kind === "file" ? found.file.fileId : `${++this.#lastFileId}`;
    const file = { fileId, text, isSynced, modified: BigInt(Math.floor(this.now() * 1e6)) };
    if (found) this.#entries.set(path, { kind: "file", file });
    else this.#change([{ path, after: { kind: "file", file } }]);
    return stampOf(file);
  }

  #change(names: readonly { readonly path: string; readonly after?: Content }[]): void {
    const changed = names.map((name) => ({ ...name, before: this.#entries.get(name.path) }));
    const directories = names.map(({ path }) => dirname(path));
    this.#changes.push({ at: this.now(), directories, names: changed as Change["names"] });
    for (const { path, after } of names) this.#set(path, after);
  }

  /** Sets an entry, or removes it together with its content. */
  #set(path: string, content: Content | undefined): void {
    if (content) this.#entries.set(path, content);
    else for (const [each] of this.#below(path)) this.#entries.delete(each);
  }

  #below(path: string): readonly Entry[] {
    return [...this.#entries].filter(([each]) => each === path || each.startsWith(`${path}/`));
  }

  #file(path: string): File {
    const found = this.#entries.get(path);
    if (!found) throw errnoError("ENOENT");
    if (found.kind === "directory") throw errnoError("EISDIR");
    return found.file;
  }

  #isMounted(path: string): boolean {
    return path === this.mounted && this.#entries.has(path);
  }

  #requireParent(path: string): void {
    if (this.#entries.get(dirname(path))?.kind !== "directory") throw errnoError("ENOENT");
  }

  #requireRoom(): void {
    if (this.isFull) throw errnoError("ENOSPC");
  }
}

const stampOf = ({ fileId, text, modified }: File): Stamp => ({ fileId, modified, size: BigInt(text.length) });
