import {
  currentDigest,
  parseRecord,
  type SessionRecord,
  serialiseRecord,
} from "../../packages/core/src/record/record.ts";
import { FOREIGN, POWER } from "./constants.ts";
import type { StepFault } from "./faults.ts";
import { FileWorld } from "./file-world.ts";
import type { SimulatedProcess } from "./process.ts";
import type { SharedStore } from "./shared-store.ts";
import type { World } from "./world.ts";

const SUSPENSIONS = [300, 3_000, 8_000, 15_000, 60_000, 8 * 3_600_000];
const ABSENCES = [0, 1_000, 8_000, 40_000];
const JUMPS = [600_000, -600_000, 30_000, -30_000, 86_400_000, -7_200_000];

/** Does what a fault between two steps does. */
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
    case "foreign write of the old session":
      putBack(world, size);
      return;
    case "power cut":
      cutPower(world, who);
      return;
    case "directory vanishes":
      if (world.store instanceof FileWorld) world.store.detach(ABSENCES[who] ?? 0, size % 2 === 1);
      return;
    case "session file torn":
      tear(world, size / 6);
      return;
    case "session file missing":
      tear(world, undefined);
      return;
  }
}

/** Ends every process of a machine, or, if they share a disk, of all machines. */
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
  world.note("", `! ${victim.name} dies`);
  victim.kill();
}

/** A foreign program writes what it read some time ago. */
function putBack(world: World, back: number): void {
  const { past, current } = world.invariants.records;
  const old = past[Math.max(0, past.length - 1 - back)];
  if (old === undefined) return;
  world.note("", "! a foreign program writes an old session back");
  const record = parseRecord(old, "the past");
  const { store } = world;
  // In other words than ours a sign-out would be that program's own, and its date would decide.
  const text = record.tokens && back % 2 === 1 ? `${old}\n` : old;
  if (store instanceof FileWorld) store.disk.put(store.place.file, text);
  else putBackTokens(store, record, current);
}

/** I9: in a store under compare-and-set, which keeps `spent` through that. What is not in there is a new session. */
function putBackTokens(store: SharedStore, old: SessionRecord, current: SessionRecord | undefined): void {
  const { tokens, obtainedAt, account } = old;
  if (!tokens || !current?.tokens || !current.spent.includes(currentDigest(old) ?? "")) return;
  store.put(serialiseRecord({ ...current, account, tokens, obtainedAt }));
}

function tear(world: World, share: number | undefined): void {
  if (!(world.store instanceof FileWorld)) return;
  const { disk, place } = world.store;
  const text = disk.textOf(place.file);
  if (text === undefined) return;
  world.note("", `! the session file is ${share === undefined ? "removed" : "torn"}`);
  if (share === undefined && disk.mounted === undefined) disk.unlink(place.file);
  else disk.put(place.file, text.slice(0, Math.floor(text.length * (share ?? 0))));
}
