import { basename, join } from "node:path";
import { StoreConflictError } from "@unexpired/core";
import { Chain, type Draft, digestOf, type FileSystem, isAncestor, versionOf } from "@unexpired/store-node/chain";
import type { KeychainClient } from "../backends/keychain-client.ts";
import type { BackendRegistry } from "../backends/registry.ts";
import { KeychainError } from "../errors.ts";
import type { KeychainSettings } from "../options.ts";
import { collectGarbage, purgeRemovedChains } from "./garbage-collector.ts";
import { itemAccount, type Manifest, splitSession } from "./items.ts";
import type { KeychainReader, KeychainSnapshot } from "./reader.ts";
import type { FreeSlot, Slots } from "./slots.ts";

/** The slot that a save writes to, and the draft that it belongs to. */
interface SlotClaim {
  readonly draft: Draft;
  readonly slot: FreeSlot;
}

/** A save that is not published yet. */
interface PendingSave {
  readonly value: string;
  readonly parts: readonly string[];
  readonly client: KeychainClient;
  readonly previous: KeychainSnapshot;
}

/** What a writer works with. */
export interface KeychainWriterDeps {
  readonly settings: KeychainSettings;
  readonly backends: BackendRegistry;
  readonly reader: KeychainReader;
  readonly slots: Slots;
}

/** So many saves look for what another program has left: the first one may have died before it did. */
const FOREIGN_CLEANUP_SAVES = 3;

/** Writes a session into a slot that is free, and then says so in the chain. */
export class KeychainWriter {
  readonly #fs: FileSystem;
  readonly #settings: KeychainSettings;
  readonly #backends: BackendRegistry;
  readonly #reader: KeychainReader;
  readonly #slots: Slots;
  readonly #chain: Chain;

  constructor(fs: FileSystem, { settings, backends, reader, slots }: KeychainWriterDeps) {
    this.#fs = fs;
    this.#settings = settings;
    this.#backends = backends;
    this.#reader = reader;
    this.#slots = slots;
    this.#chain = new Chain(fs, settings.paths.chain);
  }

  /**
   * Saves `value` in the place of the version `expected`.
   *
   * @throws StoreConflictError where it is not the one that is stored
   */
  async save(value: string, expected: string | undefined): Promise<string> {
    const previous = await this.#reader.read();
    if (previous.stored?.version !== expected) throw this.#conflict();
    const client = await this.#backends.forWriting(previous.backend);
    const pending = { value, parts: splitSession(value, client.limit), client, previous };
    const claim = await this.#claimSlot(pending);
    if (!(await this.#isStillOurs(claim, previous))) {
      await this.#releaseSlot(claim);
      throw this.#conflict();
    }
    try {
      await this.#writeItems(claim, pending);
    } catch (error) {
      // A call that has not ended may still change an item: nobody is to use the slot again, and the garbage collector takes it.
      const isEnded = !(error instanceof KeychainError && error.reason === "timeout");
      if (isEnded) await this.#withdraw(claim, pending);
      throw error;
    }
    return this.#publish(claim, pending);
  }

  #conflict(): StoreConflictError {
    return new StoreConflictError(this.#settings.label);
  }

  /** Writes a draft, and takes a slot for it. */
  async #claimSlot({ value, parts, client, previous: { head, stored } }: PendingSave): Promise<SlotClaim> {
    const foreignDigest = head || !stored ? undefined : digestOf(stored.value);
    for (const free of await this.#slots.listFree(client.name, head)) {
      const manifest: Manifest = { backend: client.name, slot: free.id, parts: parts.length, digest: digestOf(value) };
      // Before the slot is taken: how old the draft is tells whether the writer has died.
      const draft = await this.#chain.draft(JSON.stringify(manifest), { head, foreignDigest });
      if (!draft) break;
      if (await this.#slots.claim(free, { draft, backend: client.name })) return { draft, slot: free };
      await this.#fs.unlink(draft.temporaryPath); // somebody else has it now
    }
    throw this.#conflict();
  }

  /**
   * Asked once the slot is taken, and before anything is written: had the draft been revoked before that, or something
   * been published, the items could be somebody else's.
   */
  async #isStillOurs({ draft }: SlotClaim, previous: KeychainSnapshot): Promise<boolean> {
    const isThere = await this.#fs.stat(draft.temporaryPath);
    return isThere !== undefined && (await this.#chain.head())?.id === previous.head?.id;
  }

  async #writeItems({ slot: { id: slot, isNew } }: SlotClaim, { parts, client }: PendingSave): Promise<void> {
    const { account } = this.#settings;
    for (const [index, part] of parts.entries()) await client.set(itemAccount(account, slot, index + 1), part);
    if (!isNew) await this.#slots.trim(client, { slot, keep: parts.length });
  }

  async #publish(claim: SlotClaim, pending: PendingSave): Promise<string> {
    const isPublished = await this.#chain.publish(claim.draft).catch(async (error: unknown) => {
      // With a generation of that number nobody knows: the slot stays taken, and is collected in time.
      const isUnpublished = !(await this.#fs.stat(this.#chain.generationPath(claim.draft.number)));
      if (isUnpublished) await this.#withdraw(claim, pending);
      throw error;
    });
    if (!isPublished) {
      await this.#withdraw(claim, pending);
      throw this.#conflict();
    }
    await this.#finish(claim, pending).catch(() => undefined);
    return versionOf(claim.draft);
  }

  /** Gives back a slot that was written to. What cannot be done now is left to the garbage collector. */
  async #withdraw(claim: SlotClaim, { parts, client }: PendingSave): Promise<void> {
    const { id: slot } = claim.slot;
    const release = async () => {
      // As the draft was there when the slot was ours, only who has revoked it can have taken it, and for good.
      const isGone = !(await this.#releaseSlot(claim));
      if (isGone) await this.#slots.trim(client, { slot, keep: 0, knownParts: parts.length });
    };
    await release().catch(() => undefined);
  }

  /** `false` where somebody else has it. The draft goes last: with it the slot is not taken for one that is finished. */
  async #releaseSlot({ draft, slot: { id: slot } }: SlotClaim): Promise<boolean> {
    const isReleased = await this.#slots.release(slot, draft);
    await this.#fs.unlink(draft.temporaryPath);
    return isReleased;
  }

  /** The session is stored; what is left to do can also be done by anyone later. */
  async #finish({ draft, slot: { id: slot } }: SlotClaim, { client, previous }: PendingSave): Promise<void> {
    const { paths, account } = this.#settings;
    await this.#notifyWatchers(draft, client.name);
    // The one before may be in use by who reads, and is overwritten next. A backend that was left keeps nothing.
    const last = previous.backend === client.name ? previous.slot : undefined;
    await collectGarbage(this.#fs, this.#slots, { newest: draft, keptSlots: [slot, last] });
    if (draft.number > FOREIGN_CLEANUP_SAVES) return;
    for (const each of await this.#backends.available()) {
      // A copy of a token that is used up: whoever presented it again would end the session.
      const left = await each.get(account);
      if (left !== undefined && isAncestor(draft, left)) await each.delete(account);
    }
    if (draft.number === 1) await purgeRemovedChains(this.#fs, this.#slots, paths);
  }

  /** Those that watch hear of it, and people see it. */
  async #notifyWatchers(draft: Draft, backend: string): Promise<void> {
    const { paths, statusFile } = this.#settings;
    const temporaryPath = join(paths.chain, basename(draft.temporaryPath).replace("draft", "projection"));
    await this.#fs.create(temporaryPath, `${JSON.stringify({ version: versionOf(draft), backend })}\n`, {
      durable: false,
    });
    await this.#fs.rename(temporaryPath, statusFile);
  }
}
