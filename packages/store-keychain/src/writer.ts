import { basename, join } from "node:path";
import { StoreConflictError } from "@unexpired/core";
import { Chain, type Draft, digestOf, type FileSystem, isAncestor, versionOf } from "@unexpired/store-node/chain";
import type { Vault } from "./backend.ts";
import { collect, emptyRemoved } from "./collector.ts";
import { KeychainError } from "./errors.ts";
import { accountOf, type Manifest, split } from "./items.ts";
import type { Observer, Sight } from "./look.ts";
import type { Settings } from "./options.ts";
import type { FreeSlot, Slots } from "./slots.ts";
import type { Vaults } from "./vaults.ts";

/** Where it is being saved, and by which draft. */
interface Claim {
  readonly draft: Draft;
  readonly free: FreeSlot;
}

/** What is being saved. */
interface Writing {
  readonly value: string;
  readonly parts: readonly string[];
  readonly vault: Vault;
  readonly before: Sight;
}

/** What a writer works with. */
export interface WriterOptions {
  readonly settings: Settings;
  readonly vaults: Vaults;
  readonly observer: Observer;
  readonly slots: Slots;
}

/** So many saves look for what another program has left: the first one may have died before it did. */
const FOREIGN_KEPT = 3;

/** Writes a session into a slot that is free, and then says so in the chain. */
export class Writer {
  readonly #fs: FileSystem;
  readonly #settings: Settings;
  readonly #vaults: Vaults;
  readonly #observer: Observer;
  readonly #slots: Slots;
  readonly #chain: Chain;

  constructor(fs: FileSystem, { settings, vaults, observer, slots }: WriterOptions) {
    this.#fs = fs;
    this.#settings = settings;
    this.#vaults = vaults;
    this.#observer = observer;
    this.#slots = slots;
    this.#chain = new Chain(fs, settings.place.chain);
  }

  /**
   * Saves `value` in the place of the version `expected`.
   *
   * @throws StoreConflictError where it is not the one that is stored
   */
  async replace(value: string, expected: string | undefined): Promise<string> {
    const before = await this.#observer.look();
    if (before.stored?.version !== expected) throw this.#conflict();
    const vault = await this.#vaults.writing(before.backend);
    const writing = { value, parts: split(value, vault.limit), vault, before };
    const claim = await this.#claim(writing);
    if (!(await this.#isOurs(claim, before))) {
      await this.#giveBack(claim);
      throw this.#conflict();
    }
    try {
      await this.#write(claim, writing);
    } catch (error) {
      // A call that has not ended may still change an item: nobody is to use the slot again, and the collector takes it.
      const isEnded = !(error instanceof KeychainError && error.reason === "timeout");
      if (isEnded) await this.#withdraw(claim, writing);
      throw error;
    }
    return this.#publish(claim, writing);
  }

  #conflict(): StoreConflictError {
    return new StoreConflictError(this.#settings.name);
  }

  /** Writes a draft, and takes a slot for it. */
  async #claim({ value, parts, vault, before: { head, stored } }: Writing): Promise<Claim> {
    const adopted = head || !stored ? undefined : digestOf(stored.value);
    for (const free of await this.#slots.free(vault.name, head)) {
      const manifest: Manifest = { backend: vault.name, slot: free.slot, parts: parts.length, digest: digestOf(value) };
      // Before the slot is taken: how old the draft is tells whether the writer has died.
      const draft = await this.#chain.draft(JSON.stringify(manifest), { head, foreignDigest: adopted });
      if (!draft) break;
      if (await this.#slots.take(free, { draft, backend: vault.name })) return { draft, free };
      await this.#fs.unlink(draft.temporaryPath); // somebody else has it now
    }
    throw this.#conflict();
  }

  /**
   * Asked once the slot is taken, and before anything is written: had the draft been buried before that, or something
   * been published, the items could be somebody else's.
   */
  async #isOurs({ draft }: Claim, before: Sight): Promise<boolean> {
    const isThere = await this.#fs.stat(draft.temporaryPath);
    return isThere !== undefined && (await this.#chain.head())?.id === before.head?.id;
  }

  async #write({ free: { slot, isNew } }: Claim, { parts, vault }: Writing): Promise<void> {
    const { account } = this.#settings;
    for (const [index, part] of parts.entries()) await vault.set(accountOf(account, slot, index + 1), part);
    if (!isNew) await this.#slots.trim(vault, { slot, parts: parts.length });
  }

  async #publish(claim: Claim, writing: Writing): Promise<string> {
    const isPublished = await this.#chain.publish(claim.draft).catch(async (error: unknown) => {
      // With a generation of that number nobody knows: the slot stays taken, and is collected in time.
      const isUnpublished = !(await this.#fs.stat(this.#chain.generationPath(claim.draft.number)));
      if (isUnpublished) await this.#withdraw(claim, writing);
      throw error;
    });
    if (!isPublished) {
      await this.#withdraw(claim, writing);
      throw this.#conflict();
    }
    await this.#finish(claim, writing).catch(() => undefined);
    return versionOf(claim.draft);
  }

  /** Gives back a slot that was written to. What cannot be done now is left to the collector. */
  async #withdraw(claim: Claim, { parts, vault }: Writing): Promise<void> {
    const { slot } = claim.free;
    const giveBack = async () => {
      // As the draft was there when the slot was ours, only who has buried it can have taken it, and for good.
      const isGone = !(await this.#giveBack(claim));
      if (isGone) await this.#slots.trim(vault, { slot, parts: 0, known: parts.length });
    };
    await giveBack().catch(() => undefined);
  }

  /** `false` where somebody else has it. The draft goes last: with it the slot is not taken for one that is finished. */
  async #giveBack({ draft, free: { slot } }: Claim): Promise<boolean> {
    const isReleased = await this.#slots.release(slot, draft);
    await this.#fs.unlink(draft.temporaryPath);
    return isReleased;
  }

  /** The session is stored; what is left to do can also be done by anyone later. */
  async #finish({ draft, free: { slot } }: Claim, { vault, before }: Writing): Promise<void> {
    const { place, account } = this.#settings;
    await this.#tell(draft, vault.name);
    // The one before may be in use by who reads, and is overwritten next. A backend that was left keeps nothing.
    const last = before.backend === vault.name ? before.slot : undefined;
    await collect(this.#fs, this.#slots, { newest: draft, kept: [slot, last] });
    if (draft.number > FOREIGN_KEPT) return;
    for (const each of await this.#vaults.present()) {
      // A copy of a token that is used up: whoever presented it again would end the session.
      const left = await each.get(account);
      if (left !== undefined && isAncestor(draft, left)) await each.delete(account);
    }
    if (draft.number === 1) await emptyRemoved(this.#fs, this.#slots, place);
  }

  /** Those that watch hear of it, and people see it. */
  async #tell(draft: Draft, backend: string): Promise<void> {
    const { place, path } = this.#settings;
    const temporary = join(place.chain, basename(draft.temporaryPath).replace("draft", "projection"));
    await this.#fs.create(temporary, `${JSON.stringify({ version: versionOf(draft), backend })}\n`, { durable: false });
    await this.#fs.rename(temporary, path);
  }
}
