import { basename, join } from "node:path";
import {
  Chain,
  type FileSystem,
  type Generation,
  ignoreNotFound,
  type SessionPaths,
} from "@unexpired/store-node/chain";
import { newId, type SlotFile, type Slots } from "./slots.ts";

/** What is needed no more is all that is older than `newest`, but for the slots in `kept`. */
export interface Need {
  readonly newest: Generation;
  readonly kept: readonly (string | undefined)[];
}

/** Removes what is needed no more, and what dead writers left. What fails is left for the next time. */
export async function collect(fs: FileSystem, slots: Slots, { newest, kept }: Need): Promise<void> {
  const abandoned: string[] = [];
  await new Chain(fs, slots.directory).collect(newest, async (draft) => void abandoned.push(draft));
  // One after the other: each call of a keychain may be slow, and none likes many at once.
  for (const draft of abandoned) await slots.bury(draft).catch(() => undefined);
  for (const file of await slots.list()) await collectSlot(slots, file, kept).catch(() => undefined);
}

async function collectSlot(slots: Slots, file: SlotFile, kept: Need["kept"]): Promise<void> {
  if (file.draft !== undefined) return slots.freeFinished(file);
  if (file.isWaste || !kept.includes(file.slot)) await slots.waste(file);
}

/** Deletes all items that the files of removed chains tell of, and then the files: of as many chains as possible. */
export async function emptyRemoved(fs: FileSystem, slots: Slots, { parent, removed }: SessionPaths): Promise<void> {
  const names = (await ignoreNotFound(fs.list(parent))) ?? [];
  const failures: unknown[] = [];
  for (const name of names.filter((each) => each.startsWith(basename(removed)))) {
    // Under a name of its own: another removal, which comes meanwhile, has its own items to delete.
    const mine = slots.in(`${removed}-${newId()}`);
    await ignoreNotFound(fs.rename(join(parent, name), mine.directory));
    await emptySlots(fs, mine).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

async function emptySlots(fs: FileSystem, slots: Slots): Promise<void> {
  for (const file of await slots.list()) await ignoreNotFound(slots.delete(file.name, file.slot));
  await fs.removeDirectory(slots.directory);
}
