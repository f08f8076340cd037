/** A keychain in memory and a file system without syncing, for stores whose calls a test delays or reorders. */
import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import type { TokenStore } from "@unexpired/core";
import { type FileSystem, nodeFileSystem } from "@unexpired/store-node/chain";
import type { KeychainBackend } from "../../src/index.ts";
import { openKeychainStore } from "../../src/keychain-store.ts";
import { resolveSettings } from "../../src/options.ts";
import { freshDirectory } from "./fresh-directory.ts";

/** The maximum length of an item in characters. */
export const ITEM_LIMIT = 100;

/** The directory and the keychain that the simulated processes of a test share. */
export interface World {
  readonly directory: string;
  /** The secrets, by account. */
  readonly items: Map<string, string>;
}

export const newWorld = (): World => ({ directory: freshDirectory(), items: new Map() });

export const unsyncedFileSystem: FileSystem = {
  ...nodeFileSystem,
  syncDirectory: async () => undefined,
  create: (path, text) => nodeFileSystem.create(path, text, { durable: false }),
};

export const memoryKeychain = (items: Map<string, string>): KeychainBackend => ({
  name: "memory",
  limit: ITEM_LIMIT,
  get: async (_service, account) => items.get(account),
  set: async (_service, account, secret) => {
    if (secret.length > ITEM_LIMIT) throw new Error("The secret is too long");
    items.set(account, secret);
  },
  delete: async (_service, account) => items.delete(account),
});

/** The parts of a simulated process that a test replaces. */
export interface StoreOverrides {
  readonly fs?: FileSystem;
  readonly backend?: KeychainBackend;
  readonly timeout?: number;
}

/** Opens the store of one process, without the advisory lock, which correctness must not depend on. */
export function openStore(
  { directory, items }: World,
  { fs = unsyncedFileSystem, backend = memoryKeychain(items), timeout }: StoreOverrides = {},
): TokenStore {
  const settings = resolveSettings({ service: "tests", account: "ada", directory, backend, timeout });
  const load = () => Promise.reject(new Error("No built-in backend is needed"));
  return openKeychainStore(settings, { fs, lock: async () => async () => undefined, loadBackend: load });
}

/** Makes all unfinished writes look two minutes old. */
export function ageUnfinishedWrites({ directory }: World): void {
  const past = Date.now() / 1000 - 120;
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    if (/(draft|dead|projection)-/.test(name)) utimesSync(join(directory, name), past, past);
  }
}

const ITEM_ACCOUNT = /^ada \[unexpired ([0-9a-f]+) \d+\]$/;

/** Returns the slots that have items. */
export const slotsWithItems = ({ items }: World): Set<string | undefined> =>
  new Set([...items.keys()].map((account) => ITEM_ACCOUNT.exec(account)?.[1]));

/** Creates a promise and the function that resolves it. */
export function latch(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
