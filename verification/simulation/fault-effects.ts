import {
  currentDigest,
  parseRecord,
  type SessionRecord,
  serializeRecord,
} from "../../packages/core/src/record/record.ts";
import { FOREIGN, POWER } from "./constants.ts";
import type { StepFault } from "./faults.ts";
import { FileWorld } from "./file-world.ts";
import type { ForeignProgram } from "./foreign-program.ts";
import type { SimulatedProcess } from "./process.ts";
import { SharedStore } from "./shared-store.ts";
import type { World } from "./world.ts";

const SUSPENSIONS = [300, 3_000, 8_000, 15_000, 60_000, 8 * 3_600_000];
const ABSENCES = [0, 1_000, 8_000, 40_000];
const JUMPS = [600_000, -600_000, 30_000, -30_000, 86_400_000, -7_200_000];

/** Applies a fault between two steps. */
export function applyFault(world: World, { fault, who, size }: StepFault): void {
  const { living } = world;
  const victim = living[who % living.length];
  world.lastAuthor = FOREIGN;
  switch (fault) {
    case "crash":
      victim && crash(world, victim);
      return;
    case "suspend":
      victim && world.suspend(victim, SUSPENSIONS[size] ?? 0);
      return;
    case "machine sleeps":
      world.sleep(world.machines[who % world.machines.length], SUSPENSIONS[size] ?? 0);
      return;
    case "clock jump": {
      const machine = world.machines[who % world.machines.length];
      world.note("", `! the clock of ${machine?.name} jumps by ${JUMPS[size]} ms`);
      machine && world.jump(machine, JUMPS[size] ?? 0);
      return;
    }
    case "power failure":
      cutPower(world, who);
      return;
    case "later release requires an update":
      world.isUpdateRequired = world.store instanceof SharedStore;
      return;
    default:
      applyStorageFault(world, { fault, who, size });
  }
}

function applyStorageFault(world: World, { fault, who, size }: StepFault): void {
  if (world.documents && applyDocumentFault(world.documents.foreign, { fault, who, size })) return;
  if (fault === "old session restored by another program") restoreOldSession(world, size);
  if (fault === "session file torn") tear(world, size / 6);
  if (fault === "session file missing") tear(world, undefined);
  if (fault === "directory vanishes" && world.store instanceof FileWorld)
    world.store.detach(ABSENCES[who] ?? 0, size % 2 === 1);
}

/** In a document, these are faults of the program that owns it. */
function applyDocumentFault(foreign: ForeignProgram, { fault, size }: StepFault): boolean {
  if (fault === "old session restored by another program") foreign.restore(size);
  else if (fault === "session file torn") foreign.tear(size / 6);
  else if (fault === "session file missing") foreign.signOut();
  else return false;
  return true;
}

/** Ends every process of one machine, or of all machines if they share a disk. */
function cutPower(world: World, who: number): void {
  const { machines, store } = world;
  world.lastAuthor = POWER;
  if (store instanceof FileWorld) {
    store.cutPower();
    return;
  }
  const dark = machines[who % machines.length];
  for (const victim of world.living) if (victim.machine === dark) crash(world, victim);
  if (dark) dark.boots++;
}

function crash(world: World, victim: SimulatedProcess): void {
  const isZombie = !world.options.hasThreads && world.random.choose("fault", 2) === 1;
  world.note("", `! ${victim.name} dies${isZombie ? " and is a zombie" : ""}`);
  victim.kill({ isZombie });
}

/** Another program writes a session that it read earlier. */
function restoreOldSession(world: World, back: number): void {
  if (world.cluster) return; // only a failover brings an old session back there
  const { history, current } = world.invariants.records;
  const old = history[Math.max(0, history.length - 1 - back)];
  if (old === undefined) return;
  world.note("", "! another program restores an old session");
  const record = parseRecord(old, "the history");
  const { store } = world;
  if (store instanceof FileWorld) {
    world.invariants.records.onRestored(record);
    store.disk.put(store.paths.file, old);
    store.switches.onSwitch(old);
  } else restoreOldTokens(store, record, current);
}

/** I9, in a store with compare-and-set: `spent` stays intact. A token that is not in it would be a new session. */
function restoreOldTokens(store: SharedStore, old: SessionRecord, current: SessionRecord | undefined): void {
  const { tokens, obtainedAt, account, session } = old;
  if (!tokens || !current?.tokens || !current.spent.includes(currentDigest(old) ?? "")) return;
  const rotation = session === current.session ? current.rotation : old.rotation;
  store.put(serializeRecord({ ...current, session, rotation, account, tokens, obtainedAt }));
}

function tear(world: World, share: number | undefined): void {
  if (!(world.store instanceof FileWorld)) return;
  const { disk, paths } = world.store;
  const text = disk.textOf(paths.file);
  if (text === undefined) return;
  world.note("", `! the session file is ${share === undefined ? "removed" : "torn"}`);
  if (share === undefined && disk.mounted === undefined) disk.unlink(paths.file);
  else disk.put(paths.file, text.slice(0, Math.floor(text.length * (share ?? 0))));
}
