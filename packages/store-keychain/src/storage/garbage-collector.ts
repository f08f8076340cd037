import { basename, join } from "node:path";
import {
  Chain,
  type FileSystem,
  type Generation,
  ignoreNotFound,
  type SessionPaths,
} from "@unexpired/store-node/chain";
import { randomId, type SlotFile, type Slots } from "./slots.ts";

/** The data to keep: the generation `newest` and everything after it, and the slots in `keptSlots`. */
export interface CollectOptions {
  readonly newest: Generation;
  readonly keptSlots: readonly (string | undefined)[];
}

/** Removes obsolete generations and slots, and the remains of dead writers. Leaves failures to the next collection. */
export async function collectGarbage(
  fs: FileSystem,
  slots: Slots,
  { newest, keptSlots }: CollectOptions,
): Promise<void> {
  const abandoned: string[] = [];
  await new Chain(fs, slots.directory).collect(newest, async (draft) => void abandoned.push(draft));
  // Sequential: each keychain call can be slow, and no keychain handles many concurrent calls well.
  for (const draft of abandoned) await slots.revokeDraft(draft).catch(() => undefined);
  for (const file of await slots.list()) await collectSlot(slots, file, keptSlots).catch(() => undefined);
}

async function collectSlot(slots: Slots, file: SlotFile, keptSlots: CollectOptions["keptSlots"]): Promise<void> {
  if (file.draft !== undefined) return slots.releaseFinished(file);
  if (file.isDiscarded || !keptSlots.includes(file.slot)) await slots.discard(file);
}

/**
 * Deletes all items that the files of removed chains name, then the files themselves, for as many chains as possible.
 */
export async function purgeRemovedChains(
  fs: FileSystem,
  slots: Slots,
  { parent, removed }: SessionPaths,
): Promise<void> {
  const names = (await ignoreNotFound(fs.list(parent))) ?? [];
  const failures: unknown[] = [];
  for (const name of names.filter((each) => each.startsWith(basename(removed)))) {
    // Renamed to a unique name, because a concurrent removal has its own items to delete.
    const ownSlots = slots.inDirectory(`${removed}-${randomId()}`);
    await ignoreNotFound(fs.rename(join(parent, name), ownSlots.directory));
    await purgeSlots(fs, ownSlots).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

async function purgeSlots(fs: FileSystem, slots: Slots): Promise<void> {
  for (const file of await slots.list()) await ignoreNotFound(slots.deleteItems(file.name, file.slot));
  await fs.removeDirectory(slots.directory);
}
