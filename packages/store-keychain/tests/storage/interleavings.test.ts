/** Processes that share a keychain, with their calls in random order; some are suspended for minutes, some die. */
import { StoreConflictError, type StoredValue, type TokenStore } from "@unexpired/core";
import { type Fate, randomFrom, Schedule } from "@unexpired-internal/test-support/schedule";
import { describe, expect, it } from "vitest";
import {
  ageUnfinishedWrites,
  ITEM_LIMIT,
  memoryKeychain,
  newWorld,
  openStore,
  slotsWithItems,
  unsyncedFileSystem,
  type World,
} from "../support/memory-keychain.ts";

const TURNS = [0, 1, 2];

/** The shared state of one simulation, and the history of its versions. */
interface Simulation extends World {
  readonly random: (below: number) => number;
  readonly removes: boolean;
  /** The previous version of each known version. */
  readonly parents: Map<string, string>;
  /** The versions that saves returned. */
  readonly saved: string[];
}

/** Records the previous version, which the value names. */
const recordParent = ({ parents }: Simulation, { value, version }: StoredValue) =>
  parents.set(version, value.split(" ")[1] ?? "");

async function work(store: TokenStore, processId: number, world: Simulation): Promise<void> {
  for (const turn of TURNS) {
    const found = await store.load(); // throws if the session is damaged
    if (found) recordParent(world, found);
    if (world.removes && found && processId === 0 && turn === 1) await store.remove();
    else await saveOver(store, found, world);
    if (world.random(4) === 0) ageUnfinishedWrites(world);
  }
}

async function saveOver(store: TokenStore, found: StoredValue | undefined, world: Simulation): Promise<void> {
  const filler = "x".repeat(world.random(5) * ITEM_LIMIT);
  const value = `over ${found?.version ?? "none"} ${filler}`;
  try {
    const version = await store.save(value, found?.version);
    recordParent(world, { value, version });
    world.saved.push(version);
  } catch (error) {
    if (!(error instanceof StoreConflictError)) throw error;
  }
}

/** Expects that all saved versions form one line, from the first to the stored one. */
async function expectSingleLine(world: Simulation, found: StoredValue | undefined): Promise<void> {
  if (found) recordParent(world, found);
  const line: string[] = [];
  for (
    let version = found?.version;
    version !== undefined && version !== "none";
    version = world.parents.get(version)
  ) {
    line.push(version);
  }
  expect(line).toEqual(expect.arrayContaining(world.saved));
}

async function simulate(
  seed: number,
  { removes = false, ...fate }: Fate & { readonly removes?: boolean },
): Promise<void> {
  const random = randomFrom(seed);
  const world: Simulation = { ...newWorld(), random, removes, parents: new Map(), saved: [] };
  const schedule = new Schedule(random, { ...fate, burst: [1, 5, 60][random(3)] });
  const open = (processId: number) =>
    openStore(world, {
      fs: schedule.of(processId, unsyncedFileSystem),
      backend: schedule.of(processId, memoryKeychain(world.items)),
    });
  await schedule.run([0, 1, 2].map((processId) => work(open(processId), processId, world)));
  const store = openStore(world);
  const found = await store.load();
  if (!removes) await expectSingleLine(world, found);
  ageUnfinishedWrites(world);
  let version = found?.version;
  for (const value of ["last but one", "last"]) version = await store.save(value, version);
  expect(await store.load()).toEqual({ value: "last", version });
  expect(slotsWithItems(world).size).toBe(2);
  await store.remove();
  expect([...world.items.keys()]).toEqual([]);
}

describe.each([
  ["live", {}],
  ["die", { deathOdds: 120 }],
  ["remove", { removes: true }],
] as const)("processes that %s, with their calls in any order", (_name, fate) => {
  const seeds = Array.from({ length: process.env.UNEXPIRED_EXHAUSTIVE === "1" ? 60 : 20 }, (_, seed) => seed);
  it.each(seeds)("leaves one session and no stray items (seed %i)", (seed) => simulate(seed, fate));
});
