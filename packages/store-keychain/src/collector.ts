import { join } from "node:path";
import { Chain, type FileSystem, type Generation, type Place, type Stamp } from "@unexpired/store-node/chain";
import { accountsOf, type Manifest, tryManifest } from "./items.ts";
import type { Vaults } from "./vaults.ts";

const GENERATION = /^[1-9]\d{0,14}$/;
const DRAFT = /^draft-[0-9a-f]+$/;
const WASTE = /^waste-/;
const PROJECTION = /^projection-/;
const EMPTY = "-"; // no part of a session
const DRAFT_AGE = 60_000_000_000n; // ns

interface Entry {
  readonly id: string;
  readonly manifest: Manifest;
  readonly stamp: Stamp;
}

/** Deletes the items that no reader needs any more, and the files that tell of them; never those of the truth. */
export class Collector {
  readonly #fs: FileSystem;
  readonly #vaults: Vaults;
  readonly #account: string;

  constructor(fs: FileSystem, { vaults, account }: { readonly vaults: Vaults; readonly account: string }) {
    this.#fs = fs;
    this.#vaults = vaults;
    this.#account = account;
  }

  /** Deletes a manifest's items. */
  async discard(manifest: Manifest): Promise<void> {
    const vault = await this.#vaults.named(manifest.backend);
    for (const account of accountsOf(this.#account, manifest)) {
      await vault.delete(account).catch(async (error: unknown) => {
        // Somebody else deletes it as well.
        if ((await vault.get(account)) !== undefined) throw error;
      });
    }
  }

  /** Collects what is older than `newest`, and what dead writers left. What fails is left for the next time. */
  async collect(directory: string, newest: Generation): Promise<void> {
    for (const name of await this.#fs.list(directory)) {
      await this.#collectOne(join(directory, name), { name, newest }).catch(() => undefined);
    }
  }

  /** Deletes all items that the files of a chain tell of, which nobody publishes to any more, and then the files. */
  async empty({ removed }: Pick<Place, "removed">): Promise<void> {
    for (const name of await this.#fs.list(removed).catch(() => [])) {
      const entry = await this.#read(join(removed, name)).catch(() => undefined);
      if (entry) await this.discard(entry.manifest);
    }
    await this.#fs.removeDirectory(removed);
  }

  async #collectOne(path: string, { name, newest }: { readonly name: string; readonly newest: Generation }) {
    if (GENERATION.test(name)) return this.#collectGeneration(path, newest.number - Number(name));
    if (WASTE.test(name)) return this.#waste(path);
    if (!DRAFT.test(name) && !PROJECTION.test(name)) return;
    const stamp = await this.#fs.stat(path);
    if (!stamp || newest.stamp.modified - stamp.modified < DRAFT_AGE) return;
    if (PROJECTION.test(name)) return this.#fs.unlink(path);
    // Its writer may only be suspended: from here on it cannot publish it any more.
    const waste = path.replace(/draft-(\w+)$/, "waste-$1");
    await this.#fs.rename(path, waste);
    await this.#waste(waste);
  }

  /** gnome-keyring dies when an item is deleted while somebody reads it: what was the truth a moment ago is emptied. */
  async #collectGeneration(path: string, age: number): Promise<void> {
    if (age > 1) return this.#waste(path);
    const entry = age === 1 ? await this.#read(path) : undefined;
    if (!entry) return;
    const vault = await this.#vaults.named(entry.manifest.backend);
    for (const account of accountsOf(this.#account, entry.manifest)) await vault.set(account, EMPTY);
  }

  async #waste(path: string): Promise<void> {
    const entry = await this.#read(path);
    // Another name of the truth: its writer died when it had published, before it took the draft's name away.
    const head = await new Chain(this.#fs, join(path, "..")).head();
    if (entry && entry.id !== head?.id) await this.discard(entry.manifest);
    await this.#fs.unlink(path);
  }

  /** `undefined` where the file is damaged: what it told is not to be had. */
  async #read(path: string): Promise<Entry | undefined> {
    const { text, stamp } = await this.#fs.read(path);
    try {
      const { id, value } = JSON.parse(text) as { id: string; value: string };
      const manifest = tryManifest(value);
      return manifest && { id, manifest, stamp };
    } catch {
      return undefined;
    }
  }
}
