import { basename, join } from "node:path";
import { type FileSystem, type Generation, type Place, unlessAbsent } from "@unexpired/store-node/chain";
import { newId, parseSlotName, type SlotFile, type Slots } from "./slots.ts";

const GENERATION = /^[1-9]\d{0,14}$/;
const TEMPORARY = /^(draft|dead|projection)-([0-9a-f]+)$/;
const KEPT = 3;
const TEMPORARY_AGE = 60_000_000_000n; // ns

/** What is needed no more is all that is older than `newest`, but for the slots in `kept`. */
export interface Need {
  readonly newest: Generation;
  readonly kept: readonly (string | undefined)[];
}

/** Removes what is needed no more, and what dead writers left. What fails is left for the next time. */
export async function collect(fs: FileSystem, slots: Slots, { newest, kept }: Need): Promise<void> {
  for (const name of await fs.list(slots.directory)) {
    const file = parseSlotName(name);
    const collecting = file ? collectSlot(slots, file, kept) : collectFile(fs, slots, { name, newest });
    await collecting.catch(() => undefined);
  }
}

async function collectSlot(slots: Slots, file: SlotFile, kept: Need["kept"]): Promise<void> {
  if (file.draft !== undefined) return slots.freeFinished(file);
  if (file.isWaste || !kept.includes(file.slot)) await slots.waste(file);
}

async function collectFile(
  fs: FileSystem,
  slots: Slots,
  { name, newest }: { readonly name: string; readonly newest: Generation },
): Promise<void> {
  const [, kind, id = ""] = TEMPORARY.exec(name) ?? [];
  const isOld = GENERATION.test(name) && Number(name) <= newest.number - KEPT;
  if (!isOld && kind === undefined) return;
  const path = join(slots.directory, name);
  const stamp = await fs.stat(path);
  const age = stamp ? newest.stamp.modified - stamp.modified : -1n;
  // An old number that is younger is of a session that began since, after the one of `newest` was removed.
  if (age <= (isOld ? -1n : TEMPORARY_AGE)) return;
  await (kind === "draft" || kind === "dead" ? slots.bury(id) : fs.unlink(path));
}

/** Deletes all items that the files of removed chains tell of, and then the files: of as many chains as possible. */
export async function emptyRemoved(fs: FileSystem, slots: Slots, { parent, removed }: Place): Promise<void> {
  const names = (await unlessAbsent(fs.list(parent))) ?? [];
  const failures: unknown[] = [];
  for (const name of names.filter((each) => each.startsWith(basename(removed)))) {
    // Under a name of its own: another removal, which comes meanwhile, has its own items to delete.
    const mine = slots.in(`${removed}-${newId()}`);
    await unlessAbsent(fs.rename(join(parent, name), mine.directory));
    await emptySlots(fs, mine).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

async function emptySlots(fs: FileSystem, slots: Slots): Promise<void> {
  for (const file of await slots.list()) await unlessAbsent(slots.delete(file.name, file.slot));
  await fs.removeDirectory(slots.directory);
}
