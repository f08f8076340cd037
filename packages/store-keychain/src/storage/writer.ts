import { basename, join } from "node:path";
import { StoreConflictError } from "@unexpired/core";
import { Chain, type Draft, digestOf, type FileSystem, isAncestor, versionOf } from "@unexpired/store-node/chain";
import type { KeychainClient } from "../backends/keychain-client.ts";
import type { BackendRegistry } from "../backends/registry.ts";
import { keychainReasonOf } from "../errors.ts";
import type { KeychainSettings } from "../options.ts";
import { collectGarbage, purgeRemovedChains } from "./garbage-collector.ts";
import { itemAccount, type Manifest, splitSession } from "./items.ts";
import { isOverwriteVersion, type KeychainSnapshot, type SnapshotReader } from "./reader.ts";
import type { FreeSlot, Slots } from "./slots.ts";

/** A slot that a save writes to, and the draft that it was claimed for. */
interface SlotClaim {
  readonly draft: Draft;
  readonly slot: FreeSlot;
}

/** A save that has not been published. */
interface PendingSave {
  readonly value: string;
  readonly parts: readonly string[];
  readonly client: KeychainClient;
  readonly previous: KeychainSnapshot;
}

/** The collaborators of a writer. */
export interface KeychainWriterDeps {
  readonly settings: KeychainSettings;
  readonly backends: BackendRegistry;
  readonly reader: SnapshotReader;
  readonly slots: Slots;
}

/** The number of saves that delete the item of another program; the first writer may die before it does. */
const FOREIGN_CLEANUP_SAVES = 3;

/** Writes a session into a free slot, then publishes it in the chain. */
export class KeychainWriter {
  readonly #fs: FileSystem;
  readonly #settings: KeychainSettings;
  readonly #backends: BackendRegistry;
  readonly #reader: SnapshotReader;
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
   * Replaces the version `expected` with `value`. Returns the new version.
   *
   * @throws StoreConflictError if the stored version is not `expected`
   */
  async save(value: string, expected: string | undefined): Promise<string> {
    const previous = await this.#reader.read();
    this.#assertVersion(previous, expected);
    const client = await this.#backends.forWriting(previous.backend);
    const pending = { value, parts: splitSession(value, client.limit), client, previous };
    const claim = await this.#claimSlot(pending);
    if (!(await this.#isStillCurrent(claim, previous))) {
      await this.#releaseSlot(claim);
      throw this.#conflict();
    }
    try {
      await this.#writeItems(claim, pending);
    } catch (error) {
      // A call that timed out may still change an item: the slot must not be reused, and the garbage collector discards
      // it.
      if (keychainReasonOf(error) !== "timeout") await this.#withdraw(claim, pending);
      throw error;
    }
    if (this.#reader.isForeign) await this.#assertUnchanged(claim, pending, expected);
    return this.#publish(claim, pending);
  }

  /** Looks at the other program's item once more: writing the items takes a while. */
  async #assertUnchanged(claim: SlotClaim, pending: PendingSave, expected: string | undefined): Promise<void> {
    try {
      this.#assertVersion(await this.#reader.read(), expected);
    } catch (error) {
      await this.#withdraw(claim, pending);
      throw error;
    }
  }

  #assertVersion({ stored, failure, overwriteVersion }: KeychainSnapshot, expected: string | undefined): void {
    if (expected !== undefined && overwriteVersion === expected) return;
    if (failure && !(expected !== undefined && isOverwriteVersion(expected))) throw failure;
    if (failure || stored?.version !== expected) throw this.#conflict();
  }

  #conflict(): StoreConflictError {
    return new StoreConflictError(this.#settings.label);
  }

  /** Writes a draft and claims a slot for it. */
  async #claimSlot({ value, parts, client, previous: { head, stored, foreignMark } }: PendingSave): Promise<SlotClaim> {
    const foreignDigest = head || !stored ? undefined : digestOf(stored.value);
    for (const free of await this.#slots.listFree(client.name, head)) {
      const manifest: Manifest = { backend: client.name, slot: free.id, parts: parts.length, digest: digestOf(value) };
      // Written before the slot is claimed: the age of the draft tells whether the writer has died.
      const draft = await this.#chain.draft(JSON.stringify(manifest), { head, foreignDigest, foreignMark });
      if (!draft) break;
      if (await this.#slots.claim(free, { draft, backend: client.name })) return { draft, slot: free };
      await this.#fs.unlink(draft.temporaryPath); // another process claimed it first
    }
    throw this.#conflict();
  }

  /**
   * Checks, after the slot is claimed and before anything is written, that the draft was not revoked and no newer
   * generation was published. Otherwise the items of the slot could belong to another process.
   */
  async #isStillCurrent({ draft }: SlotClaim, previous: KeychainSnapshot): Promise<boolean> {
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
      // If a generation with that number exists, it may be this one: the slot stays claimed until the collector
      // decides.
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

  /** Releases a slot that was written to. Leaves failures to the garbage collector. */
  async #withdraw(claim: SlotClaim, { parts, client }: PendingSave): Promise<void> {
    const { id: slot } = claim.slot;
    const release = async () => {
      // The draft existed when the slot was claimed, so only a process that revoked it can have taken the slot, for
      // good.
      const isGone = !(await this.#releaseSlot(claim));
      if (isGone) await this.#slots.trim(client, { slot, keep: 0, knownParts: parts.length });
    };
    await release().catch(() => undefined);
  }

  /** Returns `false` if the slot was taken. Removes the draft last; without it, the slot would count as published. */
  async #releaseSlot({ draft, slot: { id: slot } }: SlotClaim): Promise<boolean> {
    const isReleased = await this.#slots.release(slot, draft);
    await this.#fs.unlink(draft.temporaryPath);
    return isReleased;
  }

  /** Notifies watchers and cleans up. The session is already stored; a later save can do the same. */
  async #finish({ draft, slot: { id: slot } }: SlotClaim, { client, previous }: PendingSave): Promise<void> {
    const { paths, account } = this.#settings;
    await this.#notifyWatchers(draft, client.name);
    // The previous slot may still be read, and is the next to be overwritten. After a change of backend, it is deleted.
    const previousSlot = previous.backend === client.name ? previous.slot : undefined;
    await collectGarbage(this.#fs, this.#slots, { newest: draft, keptSlots: [slot, previousSlot] });
    if (draft.number > FOREIGN_CLEANUP_SAVES) return;
    const { clients } = await this.#backends.available();
    for (const foreignClient of clients) {
      // The item has a refresh token that is used up. A program that presented it again would end the session.
      const left = await foreignClient.get(account);
      if (left !== undefined && isAncestor(draft, left)) await foreignClient.delete(account);
    }
    if (draft.number === 1) await purgeRemovedChains(this.#fs, this.#slots, paths);
  }

  /** Replaces the status file, which watchers observe and which describes the last save to people. */
  async #notifyWatchers(draft: Draft, backend: string): Promise<void> {
    const { paths, statusFile } = this.#settings;
    const temporaryPath = join(paths.chain, basename(draft.temporaryPath).replace("draft", "projection"));
    await this.#fs.create(temporaryPath, `${JSON.stringify({ version: versionOf(draft), backend })}\n`, {
      durable: false,
    });
    await this.#fs.rename(temporaryPath, statusFile);
  }
}
