import { randomBytes } from "node:crypto";
import { basename, join } from "node:path";
import {
  Chain,
  codeOf,
  type Draft,
  type FileSystem,
  type Generation,
  ignoreNotFound,
} from "@unexpired/store-node/chain";
import type { KeychainClient } from "../backends/keychain-client.ts";
import type { BackendRegistry } from "../backends/registry.ts";
import { itemAccount, type Manifest, tryJson, tryManifest } from "./items.ts";

/**
 * A slot is a set of keychain items that is overwritten in place again and again; a session alternates between two
 * slots. As long as a slot has items, a file in the chain's directory represents it. The name of that file determines
 * which process may write to the items; it changes by renaming, so only one process can take a slot:
 *
 * - `slot-<id>`: no process may write. The slot may hold the session.
 * - `slot-<id>.<draft>`: the writer of that draft may write while the draft exists. It never writes after publishing.
 * - `waste-<id>.<owner>`: no process may write again. The items are being deleted.
 *
 * The file contains the name of the backend that stores the items.
 */
export interface SlotFile {
  readonly name: string;
  readonly slot: string;
  /** The draft in `slot-<id>.<draft>`. */
  readonly draft: string | undefined;
  readonly isDiscarded: boolean;
}

/** A slot that a writer may try to claim. */
export interface FreeSlot {
  readonly id: string;
  readonly isNew: boolean;
}

/** The draft and the backend that a slot is claimed for. */
export interface SlotOwner {
  readonly draft: Draft;
  readonly backend: string;
}

/** The items of a slot to delete. */
export interface TrimOptions {
  readonly slot: string;
  /** The number of items to keep. */
  readonly keep: number;
  /** The number of items the slot is known to have, in case no generation records it. Default: 0. */
  readonly knownParts?: number;
}

/** The session that the slots belong to, and its backends. */
export interface SlotsOptions {
  readonly backends: BackendRegistry;
  readonly account: string;
  readonly directory: string;
}

const SLOT_NAME = /^(slot|waste)-([0-9a-f]+)(?:\.([0-9a-f]+))?$/;
const DRAFT_PREFIX = "draft-";
const REVOKED_PREFIX = "dead-";

/** Returns a unique name. */
export const randomId = (): string => randomBytes(8).toString("hex");

/** Parses the name of a slot's file. */
function parseSlotName(name: string): SlotFile | undefined {
  const [, kind, slot, owner] = SLOT_NAME.exec(name) ?? [];
  if (kind === undefined || slot === undefined) return undefined;
  return { name, slot, draft: kind === "slot" ? owner : undefined, isDiscarded: kind === "waste" };
}

/** Returns the slot that holds the session of a generation. */
const slotOf = (generation: Generation | undefined): string | undefined =>
  generation && tryManifest(generation.value)?.slot;

const draftIdOf = ({ temporaryPath }: Draft): string => basename(temporaryPath).slice(DRAFT_PREFIX.length);

/** The slots of one session, as recorded by the files of a directory. */
export class Slots {
  readonly #fs: FileSystem;
  readonly #backends: BackendRegistry;
  readonly #account: string;
  readonly directory: string;

  constructor(fs: FileSystem, { backends, account, directory }: SlotsOptions) {
    this.#fs = fs;
    this.#backends = backends;
    this.#account = account;
    this.directory = directory;
  }

  /** Returns the slots that the files of another directory record. */
  inDirectory(directory: string): Slots {
    return new Slots(this.#fs, { backends: this.#backends, account: this.#account, directory });
  }

  /** Lists the files of all slots. */
  async list(): Promise<readonly SlotFile[]> {
    const names = await ignoreNotFound(this.#fs.list(this.directory));
    return (names ?? []).map(parseSlotName).filter((file) => file !== undefined);
  }

  /**
   * Lists the slots that a writer with this backend may try to claim. The last one is new; the current one is excluded.
   */
  async listFree(backend: string, head: Generation | undefined): Promise<readonly FreeSlot[]> {
    const found: FreeSlot[] = [];
    for (const { name, slot, draft, isDiscarded } of await this.list()) {
      const isFree = draft === undefined && !isDiscarded && slot !== slotOf(head);
      const slotBackend = isFree ? await ignoreNotFound(this.#backendOf(name)) : undefined;
      if (slotBackend === backend) found.push({ id: slot, isNew: false });
    }
    return [...found, { id: randomId(), isNew: true }];
  }

  /** Claims a slot for a draft. Returns `false` if another process was faster. */
  async claim({ id: slot, isNew }: FreeSlot, { draft, backend }: SlotOwner): Promise<boolean> {
    const claimedName = `slot-${slot}.${draftIdOf(draft)}`;
    // Windows may refuse the rename for a moment. Such a slot is treated as taken.
    if (!isNew) return this.#rename(`slot-${slot}`, claimedName).catch(() => false);
    const created = await ignoreNotFound(this.#fs.create(this.#path(claimedName), backend, { durable: true }));
    return created !== undefined;
  }

  /** Releases an unpublished slot. Returns `false` if the slot was taken from this draft or the session was removed. */
  release(slot: string, draft: Draft): Promise<boolean> {
    return this.#rename(`slot-${slot}.${draftIdOf(draft)}`, `slot-${slot}`);
  }

  /** Revokes an abandoned draft and its slot. Its writer may only be suspended, and must not publish any more. */
  async revokeDraft(id: string): Promise<void> {
    await this.#rename(`${DRAFT_PREFIX}${id}`, `${REVOKED_PREFIX}${id}`); // from here on it cannot be published
    for (const file of await this.list()) if (file.draft === id) await this.discard(file);
    await this.#fs.unlink(this.#path(`${REVOKED_PREFIX}${id}`));
  }

  /** Frees a slot whose writer has published. */
  async releaseFinished(file: SlotFile): Promise<void> {
    if (file.draft === undefined) return;
    // In this order: a draft exists before its slot is claimed, and a revoked draft exists only under the second name.
    for (const prefix of [DRAFT_PREFIX, REVOKED_PREFIX])
      if (await this.#fs.stat(this.#path(`${prefix}${file.draft}`))) return;
    await this.#rename(file.name, `slot-${file.slot}`);
  }

  /** Deletes a slot for good. If it holds the session, releases it instead. */
  async discard({ name, slot }: SlotFile): Promise<void> {
    const discardedName = `waste-${slot}.${randomId()}`;
    if (!(await this.#rename(name, discardedName))) return;
    // Checked after the rename: from then on, no process can claim the slot, so none can publish it.
    const head = await new Chain(this.#fs, this.directory).head();
    if (slotOf(head) === slot) return void (await this.#rename(discardedName, `slot-${slot}`));
    await this.deleteItems(discardedName, slot);
    await this.#fs.unlink(this.#path(discardedName));
  }

  /**
   * Ensures that the backend of every slot can be loaded.
   *
   * @throws KeychainError `no_backend`
   */
  async assertReachable(): Promise<void> {
    for (const { name } of await this.list()) {
      const backend = await ignoreNotFound(this.#backendOf(name));
      if (backend !== undefined) await this.#backends.forName(backend);
    }
  }

  /** Deletes the items of the slot that a file represents. */
  async deleteItems(name: string, slot: string): Promise<void> {
    await this.trim(await this.#backends.forName(await this.#backendOf(name)), { slot, keep: 0 });
  }

  /**
   * Deletes all items of a slot except the first `keep`. Begins with the last one, so that no gap arises, unless
   * another program deletes items as well.
   */
  async trim(client: KeychainClient, { slot, keep, knownParts = 0 }: TrimOptions): Promise<void> {
    const account = (part: number) => itemAccount(this.#account, slot, part);
    let last = Math.max(keep, knownParts, await this.#recordedParts(slot));
    while ((await client.get(account(last + 1))) !== undefined) last++;
    for (; last > keep; last--) await client.delete(account(last));
  }

  /** Returns the number of items that the existing generations record for the slot. */
  async #recordedParts(slot: string): Promise<number> {
    const names = (await ignoreNotFound(this.#fs.list(this.directory))) ?? [];
    const manifests = names.filter((name) => /^\d+$/.test(name)).map((name) => this.#manifestOf(name));
    const parts = (await Promise.all(manifests)).map((manifest) => (manifest?.slot === slot ? manifest.parts : 0));
    return Math.max(0, ...parts);
  }

  async #manifestOf(name: string): Promise<Manifest | undefined> {
    const file = await ignoreNotFound(this.#fs.read(this.#path(name)));
    const { value } = Object(tryJson(file?.text ?? "")) as { value?: unknown };
    return typeof value === "string" ? tryManifest(value) : undefined;
  }

  #path(name: string): string {
    return join(this.directory, name);
  }

  async #backendOf(name: string): Promise<string> {
    return (await this.#fs.read(this.#path(name))).text;
  }

  /** Returns `false` if the file has been renamed or removed. */
  async #rename(from: string, to: string): Promise<boolean> {
    try {
      await this.#fs.rename(this.#path(from), this.#path(to));
      return true;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return false;
      throw error;
    }
  }
}
