import { dirname, join } from "node:path";
import { StoreConflictError, type StoredValue, type TokenStore } from "@unexpired/core";
import {
  Chain,
  codeOf,
  type Draft,
  directoryLock,
  explaining,
  type FileSystem,
  type Generation,
  type Holder,
  nodeFileSystem,
  thisHolder,
  versionOf,
  watchPath,
} from "@unexpired/store-node/chain";
import type { Vault } from "./backend.ts";
import { type Load, load } from "./backends/load.ts";
import { Collector } from "./collector.ts";
import { KeychainError } from "./errors.ts";
import { accountsOf, type Manifest, manifestOf, parseManifest, split } from "./items.ts";
import { Observer, type Sight } from "./look.ts";
import { type KeychainStoreOptions, type Settings, settingsOf } from "./options.ts";
import { Vaults } from "./vaults.ts";

const MAX_RENAMES = 4;
const FOREIGN_KEPT = 3;

/**
 * A store that keeps one session in the system's keychain, for all processes of one user on one machine.
 *
 * Which version is the truth is kept in a directory beside (see `directory`), as write-once files that hold digests and
 * no secret; the session itself is in the keychain alone, in as many items as it needs. Each save writes new items, and
 * deletes the old ones when it is done: who reads sees the old session or the new one, whole. A session that another
 * program keeps under the same service and account is taken over.
 *
 * `load`, `save` and `remove` throw `KeychainError`, a `StoreError` whose `reason` tells a keychain that is not there
 * from one that is locked, hangs or is damaged. An empty one is `undefined`.
 *
 * @throws TypeError where an option is none of those accepted
 */
export function keychainStore(options: KeychainStoreOptions): TokenStore {
  const settings = settingsOf(options);
  const { deadline, place } = settings;
  return new KeychainStore(settings, { fs: nodeFileSystem, load: load({ deadline, directory: place.parent }) });
}

class KeychainStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: false } as const;
  readonly holder?: Holder;
  readonly #settings: Settings;
  readonly #fs: FileSystem;
  readonly #vaults: Vaults;
  readonly #observer: Observer;
  readonly #collector: Collector;

  constructor(settings: Settings, { fs, load }: { readonly fs: FileSystem; readonly load: Load }) {
    const { service, account, deadline, backend: chosen } = settings;
    this.#settings = settings;
    this.#fs = fs;
    this.#vaults = new Vaults({ service, deadline, chosen, load });
    this.#observer = new Observer(fs, { vaults: this.#vaults, settings });
    this.#collector = new Collector(fs, { vaults: this.#vaults, account });
    const holder = thisHolder();
    if (holder) this.holder = holder;
  }

  describe(): string {
    const { service, account, place } = this.#settings;
    return `The keychain item "${service}" of "${account}", with its versions in ${place.chain}`;
  }

  watch(onChange: () => void): () => void {
    return watchPath(this.#settings.path, onChange);
  }

  load(): Promise<StoredValue | undefined> {
    return explaining(this.#settings.path, "read", async () => (await this.#observer.look()).stored);
  }

  save(value: string, expected: string | undefined): Promise<string> {
    const { chain } = this.#settings.place;
    return explaining(this.#settings.path, "saved", async () => {
      const check = () => this.#mustNotHaveMoved(expected); // a loser need not queue for the lock
      if (!(await check())) await this.#prepare();
      const release = await directoryLock(chain, { wait: check });
      try {
        return await this.#replace(value, expected);
      } finally {
        await release?.();
      }
    });
  }

  remove(): Promise<void> {
    const { place, path } = this.#settings;
    return explaining(path, "removed", async () => {
      // Asked first: where the keychain cannot be used nothing is taken apart.
      const vaults = await this.#vaults.present();
      for (const vault of vaults) await vault.get(this.#settings.account);
      await this.#retire();
      for (const vault of vaults) await vault.delete(this.#settings.account);
      await this.#collector.empty(place);
      await this.#fs.unlink(path);
    });
  }

  /** What the chain alone can tell, without the keychain. */
  async #mustNotHaveMoved(expected: string | undefined): Promise<Generation | undefined> {
    const head = await new Chain(this.#fs, this.#settings.place.chain).head();
    const hasMoved = head && expected !== undefined && versionOf(head) !== expected;
    if (hasMoved) throw new StoreConflictError(this.describe());
    return head;
  }

  #require(sight: Sight, expected: string | undefined): Sight {
    if (sight.stored?.version !== expected) throw new StoreConflictError(this.describe());
    return sight;
  }

  async #prepare(): Promise<void> {
    const { parent, chain } = this.#settings.place;
    const topmost = dirname((await this.#fs.makeDirectory(chain)) ?? chain);
    for (let directory = parent; ; directory = dirname(directory)) {
      await this.#fs.syncDirectory(directory);
      if (directory === topmost || directory === dirname(directory)) return;
    }
  }

  async #replace(value: string, expected: string | undefined): Promise<string> {
    const chain = new Chain(this.#fs, this.#settings.place.chain);
    const before = this.#require(await this.#observer.look(), expected);
    const vault = await this.#vaults.writing(before.backend);
    const parts = split(value, vault.limit);
    const manifest = manifestOf(value, { backend: vault.name, parts: parts.length });
    // Before the items: whoever finds it later knows what a dead writer has left in the keychain.
    const draft = await chain.draft(JSON.stringify(manifest), { head: before.head, foreign: undefined });
    if (!draft) throw new StoreConflictError(this.describe());
    try {
      await this.#write(parts, { manifest, vault });
      // Looked at only now that the draft is in the chain: had the chain been removed meanwhile, the draft would be gone
      // and could not be published over what came next.
      if ((await chain.head())?.id !== before.head?.id) throw new StoreConflictError(this.describe());
    } catch (error) {
      await this.#withdraw(draft, { manifest, error });
      throw error;
    }
    return this.#publish(draft, manifest);
  }

  async #write(parts: readonly string[], to: { readonly manifest: Manifest; readonly vault: Vault }): Promise<void> {
    const accounts = accountsOf(this.#settings.account, to.manifest);
    for (const [index, part] of parts.entries()) await to.vault.set(accounts[index] ?? "", part);
  }

  async #publish(draft: Draft, manifest: Manifest): Promise<string> {
    const chain = new Chain(this.#fs, this.#settings.place.chain);
    // Where it throws nobody knows whether it was published: the items stay, and are collected in time.
    const isPublished = await chain.publish(draft);
    if (!isPublished) {
      await this.#withdraw(draft, { manifest, error: undefined });
      throw new StoreConflictError(this.describe());
    }
    await this.#finish(draft).catch(() => undefined);
    return versionOf(draft);
  }

  /** Takes back what was written. What the keychain does not answer for is left to the collector. */
  async #withdraw(draft: Draft, { manifest, error }: { readonly manifest: Manifest; readonly error: unknown }) {
    if (error instanceof KeychainError && error.reason === "timeout") return;
    try {
      await this.#collector.discard(manifest);
      await this.#fs.unlink(draft.temporary);
    } catch {
      // as above
    }
  }

  /** The session is stored; what is left to do can also be done by anyone later. */
  async #finish(draft: Draft): Promise<void> {
    const { place, account } = this.#settings;
    await this.#tell(draft);
    await this.#collector.collect(place.chain, draft);
    if (draft.number > FOREIGN_KEPT) return;
    // A copy of a token that is used up: whoever presented it again would end the session.
    for (const vault of await this.#vaults.present()) await vault.delete(account);
    if (draft.number === 1) await this.#collector.empty(place);
  }

  /** Those that watch hear of it, and people see it. */
  async #tell(draft: Draft): Promise<void> {
    const { place, path } = this.#settings;
    const { backend } = parseManifest(draft.value, place.chain);
    const temporary = join(place.chain, draft.temporary.replace(/^.*draft-/, "projection-"));
    await this.#fs.create(temporary, `${JSON.stringify({ version: versionOf(draft), backend })}\n`, { durable: false });
    await this.#fs.rename(temporary, path);
  }

  /** Renames the chain, which ends the session at once: drafts of suspended writers go with it. */
  async #retire(): Promise<void> {
    const { chain, removed } = this.#settings.place;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#fs.makeDirectory(chain);
        return await this.#fs.rename(chain, removed);
      } catch (error) {
        const isLeftOver = ["ENOTEMPTY", "EEXIST", "EPERM", "ENOENT"].includes(codeOf(error) ?? "");
        if (!isLeftOver || attempt === MAX_RENAMES) throw error;
        await this.#collector.empty(this.#settings.place);
      }
    }
  }
}
