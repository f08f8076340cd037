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
 * A slot is a set of keychain items that is overwritten in location, time and again; a session alternates between two. A
 * file in the chain's directory names it as long as it has items, and who may write to them is told by that file's
 * name, which only one can change at a time:
 *
 * - `slot-<id>`: nobody may. The session may be in it.
 * - `slot-<id>.<draft>`: the writer of that draft, while it has the draft. It never writes once it has published.
 * - `waste-<id>.<owner>`: nobody any more. Its items are deleted.
 *
 * The file holds the name of the backend that has the items.
 */
export interface SlotFile {
  readonly name: string;
  readonly slot: string;
  /** Of `slot-<id>.<draft>`: which draft. */
  readonly draft: string | undefined;
  readonly isDiscarded: boolean;
}

/** A slot that may be taken. */
export interface FreeSlot {
  readonly id: string;
  readonly isNew: boolean;
}

/** Who takes a slot. */
export interface SlotOwner {
  readonly draft: Draft;
  readonly backend: string;
}

/** What is deleted of a slot. */
export interface TrimOptions {
  readonly slot: string;
  /** How many items stay. */
  readonly keep: number;
  /** How many it had, where no generation says so. Default: 0. */
  readonly knownParts?: number;
}

/** Whose slots. */
export interface SlotsOptions {
  readonly backends: BackendRegistry;
  readonly account: string;
  readonly directory: string;
}

const SLOT_NAME = /^(slot|waste)-([0-9a-f]+)(?:\.([0-9a-f]+))?$/;
const DRAFT_PREFIX = "draft-";
const REVOKED_PREFIX = "dead-";

/** A name that nobody else chooses. */
export const randomId = (): string => randomBytes(8).toString("hex");

/** What a file's name says of a slot. */
function parseSlotName(name: string): SlotFile | undefined {
  const [, kind, slot, owner] = SLOT_NAME.exec(name) ?? [];
  if (kind === undefined || slot === undefined) return undefined;
  return { name, slot, draft: kind === "slot" ? owner : undefined, isDiscarded: kind === "waste" };
}

/** The slot that a generation says the session is in. */
const slotOf = (generation: Generation | undefined): string | undefined =>
  generation && tryManifest(generation.value)?.slot;

const draftIdOf = ({ temporaryPath }: Draft): string => basename(temporaryPath).slice(DRAFT_PREFIX.length);

/** The slots of one session, as the files of a directory tell of them. */
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

  /** Those that the files of another directory tell of. */
  inDirectory(directory: string): Slots {
    return new Slots(this.#fs, { backends: this.#backends, account: this.#account, directory });
  }

  /** All that there are. */
  async list(): Promise<readonly SlotFile[]> {
    const names = await ignoreNotFound(this.#fs.list(this.directory));
    return (names ?? []).map(parseSlotName).filter((file) => file !== undefined);
  }

  /** Those that a writer with this backend may try to take, the last of them new. Never the session's own. */
  async listFree(backend: string, head: Generation | undefined): Promise<readonly FreeSlot[]> {
    const found: FreeSlot[] = [];
    for (const { name, slot, draft, isDiscarded } of await this.list()) {
      const isFree = draft === undefined && !isDiscarded && slot !== slotOf(head);
      const has = isFree ? await ignoreNotFound(this.#backendOf(name)) : undefined;
      if (has === backend) found.push({ id: slot, isNew: false });
    }
    return [...found, { id: randomId(), isNew: true }];
  }

  /** Whether the slot is the draft's now. */
  async claim({ id: slot, isNew }: FreeSlot, { draft, backend }: SlotOwner): Promise<boolean> {
    const claimedName = `slot-${slot}.${draftIdOf(draft)}`;
    // What Windows does not let us rename just now is as good as taken.
    if (!isNew) return this.#rename(`slot-${slot}`, claimedName).catch(() => false);
    const created = await ignoreNotFound(this.#fs.create(this.#path(claimedName), backend, { durable: true }));
    return created !== undefined;
  }

  /** Gives a slot back that was not published; `false` where it was taken away from this draft, or the session is removed. */
  release(slot: string, draft: Draft): Promise<boolean> {
    return this.#rename(`slot-${slot}.${draftIdOf(draft)}`, `slot-${slot}`);
  }

  /** Takes a draft that nobody is at any more away from its writer, who may only be suspended, and the slot with it. */
  async revokeDraft(id: string): Promise<void> {
    await this.#rename(`${DRAFT_PREFIX}${id}`, `${REVOKED_PREFIX}${id}`); // from here on it cannot be published
    for (const file of await this.list()) if (file.draft === id) await this.discard(file);
    await this.#fs.unlink(this.#path(`${REVOKED_PREFIX}${id}`));
  }

  /** Frees a slot whose writer has published. */
  async releaseFinished(file: SlotFile): Promise<void> {
    if (file.draft === undefined) return;
    // In this order: a draft is there before its slot is taken, and revoked only under the second name.
    for (const prefix of [DRAFT_PREFIX, REVOKED_PREFIX])
      if (await this.#fs.stat(this.#path(`${prefix}${file.draft}`))) return;
    await this.#rename(file.name, `slot-${file.slot}`);
  }

  /** Deletes a slot that nobody is to use again; the session's own becomes free. */
  async discard({ name, slot }: SlotFile): Promise<void> {
    const discardedName = `waste-${slot}.${randomId()}`;
    if (!(await this.#rename(name, discardedName))) return;
    // Asked when nobody can take it, and so nobody can publish it, any more.
    const head = await new Chain(this.#fs, this.directory).head();
    if (slotOf(head) === slot) return void (await this.#rename(discardedName, `slot-${slot}`));
    await this.deleteItems(discardedName, slot);
    await this.#fs.unlink(this.#path(discardedName));
  }

  /**
   * Makes sure that all items can be reached.
   *
   * @throws KeychainError `no_backend`
   */
  async assertReachable(): Promise<void> {
    for (const { name } of await this.list()) {
      const backend = await ignoreNotFound(this.#backendOf(name));
      if (backend !== undefined) await this.#backends.forName(backend);
    }
  }

  /** Deletes the items of the slot that a file tells of. */
  async deleteItems(name: string, slot: string): Promise<void> {
    await this.trim(await this.#backends.forName(await this.#backendOf(name)), { slot, keep: 0 });
  }

  /**
   * Deletes a slot's items but for the first `keep`, the last one first: what is left has no gap, unless somebody made
   * one with the system's own program.
   */
  async trim(client: KeychainClient, { slot, keep, knownParts = 0 }: TrimOptions): Promise<void> {
    const account = (part: number) => itemAccount(this.#account, slot, part);
    let last = Math.max(keep, knownParts, await this.#recordedParts(slot));
    while ((await client.get(account(last + 1))) !== undefined) last++;
    for (; last > keep; last--) await client.delete(account(last));
  }

  /** How many items the generations that are kept say the slot has. */
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

  /** `false` where it is called otherwise by now. */
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
