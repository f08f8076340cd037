import { randomBytes } from "node:crypto";
import { basename, join } from "node:path";
import { Chain, codeOf, type Draft, type FileSystem, type Generation, unlessAbsent } from "@unexpired/store-node/chain";
import type { Vault } from "./backend.ts";
import { accountOf, tryManifest } from "./items.ts";
import type { Vaults } from "./vaults.ts";

/**
 * A slot is a set of keychain items that is overwritten in place, time and again; a session alternates between two. A
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
  readonly isWaste: boolean;
}

/** A slot that may be taken. */
export interface FreeSlot {
  readonly slot: string;
  readonly backend: string;
  readonly isNew: boolean;
}

/** What is deleted of a slot. */
export interface Trim {
  readonly slot: string;
  /** How many items stay. */
  readonly parts: number;
  /** Up to which there may be gaps. */
  readonly known?: number;
}

/** Whose slots. */
export interface SlotsOptions {
  readonly vaults: Vaults;
  readonly account: string;
  readonly directory: string;
}

const NAME = /^(slot|waste)-([0-9a-f]+)(?:\.([0-9a-f]+))?$/;
const DRAFT = "draft-";
const DEAD = "dead-";

/** A name that nobody else chooses. */
export const newId = (): string => randomBytes(8).toString("hex");

/** What a file's name says of a slot. */
export function parseSlotName(name: string): SlotFile | undefined {
  const [, kind, slot, owner] = NAME.exec(name) ?? [];
  if (kind === undefined || slot === undefined) return undefined;
  return { name, slot, draft: kind === "slot" ? owner : undefined, isWaste: kind === "waste" };
}

/** The slot that a generation says the session is in. */
const slotOf = (generation: Generation | undefined): string | undefined =>
  generation && tryManifest(generation.value)?.slot;

const draftId = ({ temporary }: Draft): string => basename(temporary).slice(DRAFT.length);

/** The slots of one session, as the files of a directory tell of them. */
export class Slots {
  readonly #fs: FileSystem;
  readonly #vaults: Vaults;
  readonly #account: string;
  readonly directory: string;

  constructor(fs: FileSystem, { vaults, account, directory }: SlotsOptions) {
    this.#fs = fs;
    this.#vaults = vaults;
    this.#account = account;
    this.directory = directory;
  }

  /** Those that the files of another directory tell of. */
  in(directory: string): Slots {
    return new Slots(this.#fs, { vaults: this.#vaults, account: this.#account, directory });
  }

  /** All that there are. */
  async list(): Promise<readonly SlotFile[]> {
    const names = await unlessAbsent(this.#fs.list(this.directory));
    return (names ?? []).map(parseSlotName).filter((file) => file !== undefined);
  }

  /** Those that a writer with this backend may try to take, the last of them new. Never the session's own. */
  async free(backend: string, head: Generation | undefined): Promise<readonly FreeSlot[]> {
    const found: FreeSlot[] = [];
    for (const { name, slot, draft, isWaste } of await this.list()) {
      const isFree = draft === undefined && !isWaste && slot !== slotOf(head);
      const has = isFree ? await unlessAbsent(this.#backendOf(name)) : undefined;
      if (has === backend) found.push({ slot, backend, isNew: false });
    }
    return [...found, { slot: newId(), backend, isNew: true }];
  }

  /** Whether the slot is the draft's now. */
  async take({ slot, backend, isNew }: FreeSlot, draft: Draft): Promise<boolean> {
    const taken = `slot-${slot}.${draftId(draft)}`;
    if (!isNew) return this.#rename(`slot-${slot}`, taken);
    const created = await unlessAbsent(this.#fs.create(this.#path(taken), backend, { durable: true }));
    return created !== undefined;
  }

  /** Gives a slot back that was not published; `false` where it was taken away from this draft, or the session is removed. */
  release(slot: string, draft: Draft): Promise<boolean> {
    return this.#rename(`slot-${slot}.${draftId(draft)}`, `slot-${slot}`);
  }

  /** Takes a draft that nobody is at any more away from its writer, who may only be suspended, and the slot with it. */
  async bury(id: string): Promise<void> {
    await this.#rename(`${DRAFT}${id}`, `${DEAD}${id}`); // from here on it cannot be published
    for (const file of await this.list()) if (file.draft === id) await this.waste(file);
    await this.#fs.unlink(this.#path(`${DEAD}${id}`));
  }

  /** Frees a slot whose writer has published. */
  async freeFinished(file: SlotFile): Promise<void> {
    if (file.draft === undefined) return;
    // In this order: a draft is there before its slot is taken, and buried only under the second name.
    for (const prefix of [DRAFT, DEAD]) if (await this.#fs.stat(this.#path(`${prefix}${file.draft}`))) return;
    await this.#rename(file.name, `slot-${file.slot}`);
  }

  /** Deletes a slot that nobody is to use again; the session's own becomes free. */
  async waste({ name, slot }: SlotFile): Promise<void> {
    const mine = `waste-${slot}.${newId()}`;
    if (!(await this.#rename(name, mine))) return;
    // Asked when nobody can take it, and so nobody can publish it, any more.
    const head = await new Chain(this.#fs, this.directory).head();
    if (slotOf(head) === slot) return void (await this.#rename(mine, `slot-${slot}`));
    await this.delete(mine, slot);
    await this.#fs.unlink(this.#path(mine));
  }

  /** Deletes the items of the slot that a file tells of. */
  async delete(name: string, slot: string): Promise<void> {
    await this.trim(await this.#vaults.named(await this.#backendOf(name)), { slot, parts: 0 });
  }

  /** Deletes a slot's items but for the first `parts`, the last one first: what is left has no gap. */
  async trim(vault: Vault, { slot, parts, known = parts }: Trim): Promise<void> {
    const account = (part: number) => accountOf(this.#account, slot, part);
    let last = known;
    while ((await vault.get(account(last + 1))) !== undefined) last++;
    for (; last > parts; last--) await vault.delete(account(last));
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
