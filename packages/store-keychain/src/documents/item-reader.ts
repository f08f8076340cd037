import { type SessionFormat, StoreError } from "@unexpired/core";
import {
  adoptedVersion,
  Chain,
  digestOf,
  type EntrySnapshot,
  type FileSystem,
  type Marks,
  NO_MARKS,
  readEntry,
  ShownMark,
  versionOf,
} from "@unexpired/store-node/chain";
import type { KeychainSettings } from "../options.ts";
import { type KeychainSnapshot, overwriteVersionOf, type SnapshotReader } from "../storage/reader.ts";
import type { ForeignItem, FoundItem } from "./foreign-item.ts";

/** The stored session and the other program's item at one moment. */
export interface ItemSnapshot extends EntrySnapshot, Omit<KeychainSnapshot, keyof EntrySnapshot> {
  /** The latest generation, with the session in place of the manifest; `undefined` if its items are missing. */
  readonly head: KeychainSnapshot["head"];
  readonly item: FoundItem;
  readonly marks: Marks;
}

/** The places that are read. */
export interface ItemReaderDeps {
  readonly fs: FileSystem;
  readonly settings: KeychainSettings;
  readonly format: SessionFormat;
  readonly slots: SnapshotReader;
  readonly item: ForeignItem;
}

const MAX_READS = 50;

/** Reads the session in the slots, and compares it with the item of another program. */
export class ItemReader implements SnapshotReader {
  readonly isForeign = true;
  readonly #deps: ItemReaderDeps;

  constructor(deps: ItemReaderDeps) {
    this.#deps = deps;
  }

  async read(): Promise<KeychainSnapshot> {
    const [slots, { stored, foreignMark, overwriteVersion }] = await this.#readBoth();
    return { ...slots, stored, foreignMark, overwriteVersion };
  }

  async readEntry(): Promise<ItemSnapshot> {
    return (await this.#readBoth())[1];
  }

  async #readBoth(): Promise<readonly [KeychainSnapshot, ItemSnapshot]> {
    const { fs, settings, slots } = this.#deps;
    for (let attempt = 0; attempt < MAX_READS; attempt++) {
      const found = await slots.read();
      const entry = await this.#compare(found);
      // The item shows a newer generation only after that one is published: then it is not what another program wrote.
      if ((await new Chain(fs, settings.paths.chain).head())?.id === found.head?.id) return [found, entry];
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      location: settings.label,
      problem: "kept changing while it was being read",
      hint: "Try again.",
    });
  }

  async #compare(slots: KeychainSnapshot): Promise<ItemSnapshot> {
    const { fs, settings, format } = this.#deps;
    const item = await this.#deps.item.read();
    const head = slots.head && slots.stored && { ...slots.head, value: slots.stored.value };
    const shownMark = new ShownMark(fs, settings.paths.chain, format);
    const marks = head ? await shownMark.read() : NO_MARKS;
    const { status, mark } = readItem(format, item.text, { head, marks, now: fs.now() });
    const isRemembered = !head || shownMark.isRemembered(head, marks);
    const textId = digestOf(item.text ?? "");
    const entry = { head, item, textId, marks, isRemembered, status, foreignMark: mark };
    const common = { ...slots, ...entry, overwriteVersion: slots.overwriteVersion };
    if (slots.failure) return common;
    if (["torn", "emptied"].includes(status.kind))
      return { ...common, overwriteVersion: overwriteVersionOf(slots.head, textId) };
    if (status.kind !== "foreign") return common;
    const version = slots.head ? `${versionOf(slots.head)}-${mark}` : adoptedVersion(mark ?? "");
    return { ...common, stored: { value: status.value, version } };
  }
}

/** Compares the text of an item with the session. An item is written as a whole: no program is about to fill an empty one. */
function readItem(...input: Parameters<typeof readEntry>): ReturnType<typeof readEntry> {
  const entry = readEntry(...input);
  return entry.status.kind === "blank" ? { status: { kind: "stale" } } : entry;
}
