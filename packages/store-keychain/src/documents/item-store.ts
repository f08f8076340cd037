import { dirname, join } from "node:path";
import { type SessionFormat, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";
import {
  EntrySettler,
  type EntryTimers,
  makeDurableDirectory,
  type ProcessIdentity,
  printEntry,
  ShownMark,
  systemTimers,
  withStoreErrors,
} from "@unexpired/store-node/chain";
import { BackendRegistry } from "../backends/registry.ts";
import { digestOfNames, type KeychainSettings } from "../options.ts";
import { KeychainReader } from "../storage/reader.ts";
import { type KeychainStoreDeps, SlotStore } from "../storage/slot-store.ts";
import { ForeignItem } from "./foreign-item.ts";
import { ItemEvents } from "./item-events.ts";
import { ItemReader, type ItemSnapshot } from "./item-reader.ts";

/** Dependencies of a store whose session is part of another program's item. */
export type ItemStoreDeps = KeychainStoreDeps & Partial<EntryTimers> & { readonly events?: ItemEvents };

const MAX_LOCKS = 10;
const MAX_PRINTS = 4;

/** Creates a store for validated options with a `format`. */
export function openItemStore(settings: KeychainSettings, deps: ItemStoreDeps): TokenStore {
  const { format } = settings;
  if (!format) throw new TypeError("keychainStore: there is no format.");
  return new ItemStore({ ...settings, format }, { ...systemTimers, events: new ItemEvents(), ...deps });
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
  readonly supports = { compareAndSet: "host", durable: false } as const;
  readonly holder?: ProcessIdentity;
  readonly subscribe: ItemEvents["subscribe"];
  readonly #settings: KeychainSettings & { readonly format: SessionFormat };
  readonly #deps: KeychainStoreDeps;
  readonly #item: ForeignItem;
  readonly #reader: ItemReader;
  readonly #slots: SlotStore;
  readonly #settler: EntrySettler<ItemSnapshot>;
  readonly #events: ItemEvents;

  constructor(settings: KeychainSettings & { readonly format: SessionFormat }, deps: Required<ItemStoreDeps>) {
    const { fs, loadBackend } = deps;
    const { format, service, timeout, backend: chosen } = settings;
    this.#settings = settings;
    this.#deps = deps;
    this.#events = deps.events;
    this.subscribe = deps.events.subscribe;
    const slotSettings = slotSettingsOf(settings);
    const backendsOf = (name: string) => new BackendRegistry({ service: name, timeout, chosen, loadBackend });
    const slots = new KeychainReader(fs, { backends: backendsOf(slotSettings.service), settings: slotSettings });
    this.#item = new ForeignItem(backendsOf(service), settings);
    this.#reader = new ItemReader({ fs, settings, format, item: this.#item, slots });
    this.#slots = new SlotStore(slotSettings, deps, this.#reader);
    this.#settler = new EntrySettler({
      ...deps,
      now: fs.now,
      print: () => this.#print(),
      save: (value, expected) => this.save(value, expected),
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
      const { stored } = await this.#settler.load(label, () => this.#reader.readEntry());
      return stored;
    });
  }

  async save(value: string, expected: string | undefined): Promise<string> {
    const version = await this.#slots.save(value, expected);
    await this.#print();
    return version;
  }

  /** Writes the session into the item. Reports a failure: the session is stored, and a later load tries again. */
  async #print(): Promise<void> {
    const directory = join(dirname(this.#settings.statusFile), `.${this.#lockName}.item`);
    try {
      await makeDurableDirectory(this.#deps.fs, directory);
      let release: (() => Promise<void>) | undefined;
      for (let attempt = 0; attempt < MAX_LOCKS && !release; attempt++)
        release = await this.#deps.lock(directory, { wait: async () => undefined });
      if (!release) return; // a later load writes it
      await this.#update().finally(release);
    } catch (error) {
      this.#events.failed(this.#settings.label, error);
    }
  }

  /** All entries of one item have one lock. */
  get #lockName(): string {
    return digestOfNames(this.#settings.service, this.#settings.account);
  }

  /** Writes the session into the item, unless another program has changed the entry. The caller holds the item's lock. */
  async #update(): Promise<void> {
    const { format, paths } = this.#settings;
    for (let attempt = 1; attempt <= MAX_PRINTS; attempt++) {
      const { status, head, stored, item, shownMarks } = await this.#reader.readEntry();
      if (status.kind === "current" && head) {
        if (stored) this.#settler.isSeen = true;
        this.#events.recovered(this.#settings.label);
        await new ShownMark(this.#deps.fs, paths.chain).remember(head.value, shownMarks);
      }
      if (status.kind !== "stale" || !head) return;
      // The next attempt reads what was written: another program may have written at the same moment.
      await this.#item.replace(item, printEntry(format, head.value, item.text));
    }
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
const unreadableError = (location: string, { stored }: ItemSnapshot): StoreError =>
  new StoreError("STORE_UNREADABLE", {
    location,
    problem: "is not a document that its format can read",
    hint: stored
      ? "The last session is still stored beside it. Repair the item to continue with it, or sign in again."
      : "It was left unchanged. Repair the item, or delete it and sign in again.",
    version: stored?.version,
    stored: stored && (() => stored.value),
  });
