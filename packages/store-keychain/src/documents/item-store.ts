import { ConfigurationError, type SessionFormat, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";
import {
  assertHolds,
  chainNameOf,
  DocumentEvents,
  EntrySettler,
  type EntryTimers,
  needsWrite,
  type ProcessIdentity,
  pathsOf,
  printEntry,
  printOver,
  readPrimary,
  reasonOf,
  ShownMark,
  systemTimers,
  withStoreErrors,
  writtenMarkOf,
} from "@unexpired/store-node/chain";
import { BackendRegistry } from "../backends/registry.ts";
import type { KeychainSettings } from "../options.ts";
import { isOverwriteVersion, KeychainReader } from "../storage/reader.ts";
import { type KeychainStoreDeps, SlotStore } from "../storage/slot-store.ts";
import { ForeignItem, type FoundItem } from "./foreign-item.ts";
import { withItemLock } from "./item-lock.ts";
import { ItemReader, type ItemSnapshot } from "./item-reader.ts";
import { UnreadableCopies } from "./unreadable-copy.ts";

/** Dependencies of a store whose session is part of another program's item. */
export type ItemStoreDeps = KeychainStoreDeps & Partial<EntryTimers> & { readonly events?: DocumentEvents };

const MAX_PRINTS = 4;

type Head = NonNullable<ItemSnapshot["head"]>;

/** Creates a store for validated options with a `format`. */
export function openItemStore(settings: KeychainSettings, deps: ItemStoreDeps): TokenStore {
  const { format } = settings;
  if (!format) throw new TypeError("keychainStore: there is no format.");
  return new ItemStore({ ...settings, format }, { ...systemTimers, events: new DocumentEvents(), ...deps });
}

/**
 * Returns the settings of the items that hold the session itself. They have another service: a program that looks for its
 * item by the service alone must not find these.
 */
export const slotSettingsOf = (settings: KeychainSettings): KeychainSettings =>
  settings.format ? { ...settings, service: `Unexpired: ${settings.service}` } : settings;

/**
 * Keeps a session that is part of another program's item. Items of its own hold the truth, as in a store without a format;
 * the other program's item is read at each load, and written after each save.
 */
class ItemStore implements TokenStore {
  readonly supports: TokenStore["supports"];
  readonly holder?: ProcessIdentity;
  readonly subscribe: DocumentEvents["subscribe"];
  readonly #settings: KeychainSettings & { readonly format: SessionFormat };
  readonly #deps: KeychainStoreDeps;
  readonly #item: ForeignItem;
  readonly #copies: UnreadableCopies;
  readonly #reader: ItemReader;
  readonly #slots: SlotStore;
  readonly #settler: EntrySettler<ItemSnapshot>;
  readonly #events: DocumentEvents;
  readonly #shownMark: ShownMark;

  constructor(settings: KeychainSettings & { readonly format: SessionFormat }, deps: Required<ItemStoreDeps>) {
    const { fs, loadBackend } = deps;
    const { format, service, timeout, backend: chosen } = settings;
    // 1,000 used tokens need 19 kB. One item takes that at almost no cost. Where it is split, as on Windows, it would take 8
    // or 16 items, twice, instead of one: saves that take several times as long, and the Credential Manager refuses all
    // programs once it is full.
    this.supports = { compareAndSet: "host", durable: false, foreignDocuments: !settings.isSplit };
    this.#settings = settings;
    this.#deps = deps;
    this.#events = deps.events;
    this.subscribe = deps.events.subscribe;
    const slotSettings = slotSettingsOf(settings);
    const backendsOf = (name: string) => new BackendRegistry({ service: name, timeout, chosen, loadBackend });
    const ownBackends = backendsOf(slotSettings.service);
    const slots = new KeychainReader(fs, { backends: ownBackends, settings: slotSettings });
    this.#shownMark = new ShownMark(fs, settings.paths.chain, format);
    this.#copies = new UnreadableCopies(ownBackends, slotSettings);
    this.#item = new ForeignItem(backendsOf(service), settings);
    this.#reader = new ItemReader({ fs, settings, format, item: this.#item, slots });
    this.#slots = new SlotStore(slotSettings, deps, this.#reader);
    this.#settler = new EntrySettler({
      ...deps,
      now: fs.now,
      print: () => this.#print(),
      save: (value, expected) => this.save(value, expected),
      noteFound: ({ head }, value) => this.#shownMark.noteFound(head, value),
      finish: async () => false, // an item is written as a whole
      unreadableError: (snapshot) => unreadableError(settings.label, snapshot),
    });
    if (this.#slots.holder) this.holder = this.#slots.holder;
  }

  describe(): string {
    return this.#slots.describe();
  }

  /** Reports the saves of other processes. No keychain reports what another program writes: the next load finds it. */
  watch(onChange: () => void): () => void {
    const stops = [this.#slots.watch(onChange), this.#settler.onLookAgain(() => onChange())];
    return () => {
      for (const stop of stops) stop();
    };
  }

  load(): Promise<StoredValue | undefined> {
    const { statusFile, label } = this.#settings;
    return withStoreErrors(statusFile, "read", async () => {
      await this.#assertNotMirrored();
      const { stored } = await this.#settler.load(label, () => this.#read());
      return stored;
    });
  }

  /** @throws StoreError, also if the session's own items are damaged */
  async #read(): Promise<ItemSnapshot> {
    const snapshot = await this.#readEntry();
    if (snapshot.failure) throw snapshot.failure;
    return snapshot;
  }

  async #readEntry(): Promise<ItemSnapshot> {
    const snapshot = await this.#reader.readEntry();
    if (snapshot.status.kind === "current") await this.#shownMark.withdraw();
    return snapshot;
  }

  async save(value: string, expected: string | undefined): Promise<string> {
    assertHolds(this.#settings.format, value);
    await this.#assertNotMirrored();
    const over = await this.#keepUnreadable(value, expected);
    const version = await this.#slots.save(value, expected);
    if (over) await this.#printOver(over);
    else await this.#print();
    return version;
  }

  /** Keeps a copy of an unreadable item that a save is to replace, and returns it. Other saves keep nothing. */
  async #keepUnreadable(value: string, expected: string | undefined): Promise<FoundItem | undefined> {
    if (expected === undefined || !isOverwriteVersion(expected)) return undefined;
    return withStoreErrors(this.#settings.statusFile, "saved", async () => {
      const { status, item, overwriteVersion } = await this.#reader.readEntry();
      if (overwriteVersion !== expected || status.kind !== "torn") return undefined;
      await this.#item.assertHolds(item, printOver(this.#settings.format, value, item.text));
      await this.#copies.keep(item);
      return item;
    });
  }

  /** Rejects if the item shows the session of another store. */
  async #assertNotMirrored(): Promise<void> {
    const { statusFile, format, label } = this.#settings;
    const notes = pathsOf(statusFile, { entry: chainNameOf(format) });
    const primary = await withStoreErrors(statusFile, "read", () => readPrimary(this.#deps.fs, notes));
    if (primary === undefined) return;
    throw new ConfigurationError(
      `${label} shows the session of another store, as a document of mirroredStore. Name the same primary in all programs: use mirroredStore with that store here, too.`,
    );
  }

  /** Writes the session into the item. Reports a failure: the session is stored, and a later load tries again. */
  async #print(): Promise<void> {
    try {
      await withItemLock(this.#deps, this.#settings, () => this.#update());
    } catch (error) {
      this.#events.failed(this.#settings.label, error);
    }
  }

  /** Writes the session over an unreadable item. Throws a failure: the caller would not find what it saved. */
  #printOver(over: FoundItem): Promise<void> {
    const update = () => withItemLock(this.#deps, this.#settings, () => this.#update(over));
    return withStoreErrors(this.#settings.statusFile, "saved", update);
  }

  /**
   * Writes the session into the item, unless another program has changed the entry. `over` is an unreadable item that is to
   * be replaced. The caller holds the item's lock.
   */
  async #update(over?: FoundItem): Promise<void> {
    const { format } = this.#settings;
    let written: string | undefined;
    for (let attempt = 1; attempt <= MAX_PRINTS; attempt++) {
      const snapshot = await this.#readEntry();
      const { head } = snapshot;
      await this.#onRead(snapshot);
      // The next attempt reads what was written: another program may have written at the same moment.
      const { text } = snapshot.item;
      const canReplace = over !== undefined && text === over.text;
      const isOurs = written !== undefined && written === text;
      if (!head || !needsWrite(snapshot.status, { canFill: false, canReplace, isOurs })) return;
      await this.#shownMark.announce(writtenMarkOf(format, head.value));
      written = await this.#write(snapshot, head);
    }
  }

  async #onRead({ status, head, stored, marks }: ItemSnapshot): Promise<void> {
    if (status.kind !== "current" || !head) return;
    if (stored) this.#settler.isSeen = true;
    this.#events.recovered(this.#settings.label);
    await this.#shownMark.remember(head, marks).catch(() => undefined); // a later update does it
  }

  /** Writes a generation into the item. Returns what was written. */
  async #write({ status, item }: ItemSnapshot, head: Head): Promise<string | undefined> {
    const { format } = this.#settings;
    const isTorn = status.kind === "torn";
    const next = isTorn ? printOver(format, head.value, item.text) : printEntry(format, head.value, item.text);
    if (isTorn) await this.#shownMark.forget(head); // an item without an entry is no sign-out now
    await this.#shownMark.whileWriting(writtenMarkOf(format, head.value), () => this.#item.replace(item, next));
    return next;
  }

  remove(): Promise<void> {
    return withStoreErrors(this.#settings.statusFile, "removed", async () => {
      this.#settler.isSeen = false;
      await this.#clear();
      await this.#slots.remove();
      await this.#clear(); // another process may have written it once more
    });
  }

  /** Removes the session from the item. */
  async #clear(): Promise<void> {
    const { format } = this.#settings;
    const item = await this.#item.read();
    if (item.text === undefined || format.parse(item.text) === undefined) return;
    await this.#item.replace(item, format.print(undefined, item.text));
  }
}

/** Creates the error about an item that its format cannot read. */
const unreadableError = (location: string, { status, stored, overwriteVersion }: ItemSnapshot): StoreError =>
  new StoreError("STORE_UNREADABLE", {
    location,
    ...reasonOf(status),
    hint: `${stored ? "The last session is still stored beside it" : "It was left unchanged"}. Repair the item, or have the user sign in and call signIn(tokens, { over: "unreadable" }), which keeps a copy of it in the keychain.`,
    version: stored?.version,
    overwriteVersion,
    stored: stored && (() => stored.value),
  });
