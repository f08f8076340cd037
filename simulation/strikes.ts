import { parseRecord, serialiseRecord } from "../packages/core/src/record.ts";
import { FOREIGN } from "./constants.ts";
import type { StepStrike } from "./faults.ts";
import { FileWorld } from "./file-world.ts";
import type { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

const SUSPENSIONS = [300, 3_000, 8_000, 15_000, 60_000, 8 * 3_600_000];
const JUMPS = [600_000, -600_000, 30_000, -30_000, 86_400_000, -7_200_000];

/** Does what a fault between two steps does. */
export function strike(world: World, { fault, who, size }: StepStrike): void {
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
    case "clock jump": {
      const machine = world.machines[who % world.machines.length];
      world.note("", `! the clock of ${machine?.name} jumps by ${JUMPS[size]} ms`);
      machine && world.jump(machine, JUMPS[size] ?? 0);
      return;
    }
    case "foreign write of the old session":
      putBack(world, size);
      return;
    case "session file torn":
      tear(world, size / 6);
      return;
    case "session file missing":
      tear(world, undefined);
      return;
  }
}

function crash(world: World, victim: SimulatedProcess): void {
  world.note("", `! ${victim.name} dies`);
  victim.kill();
}

/** A foreign program writes what it read some time ago. A store under compare-and-set keeps `spent` through that. */
function putBack(world: World, back: number): void {
  const past = world.promises.records.past;
  const old = past[Math.max(0, past.length - 1 - back)];
  if (old === undefined) return;
  if (world.store instanceof FileWorld || world.options.meddles) {
    world.note("", "! a foreign program writes an old session back");
  }
  if (world.store instanceof FileWorld)
    return void world.store.disk.overwrite(world.store.place.file, back % 2 === 0 ? old : `${old}\n`);
  if (!world.options.meddles) return;
  const { tokens, obtainedAt, account } = parseRecord(old, "the past");
  const current = world.promises.records.current;
  const isOld = tokens?.refreshToken !== current?.tokens?.refreshToken;
  if (!tokens || !isOld || !current?.tokens || world.store instanceof FileWorld) return;
  world.store.put(serialiseRecord({ ...current, account, tokens, obtainedAt }));
}

function tear(world: World, share: number | undefined): void {
  if (!(world.store instanceof FileWorld)) return;
  const { disk, place } = world.store;
  const text = disk.textOf(place.file);
  if (text === undefined) return;
  world.note("", `! the session file is ${share === undefined ? "removed" : "torn"}`);
  if (share === undefined) disk.unlink(place.file);
  else disk.overwrite(place.file, text.slice(0, Math.floor(text.length * share)));
}
