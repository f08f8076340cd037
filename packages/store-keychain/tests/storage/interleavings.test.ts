/** Processes that share a keychain, in any order of their calls: some stand still for minutes, some die. */
import { StoreConflictError, type StoredValue, type TokenStore } from "@unexpired/core";
import { describe, expect, test } from "vitest";
import { type Fate, randomFrom, Schedule } from "../../../../verification/end-to-end/support/schedule.ts";
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

/** A test, and what its processes were told. */
interface Play extends World {
  readonly random: (below: number) => number;
  readonly removes: boolean;
  /** What each version that is known was saved over. */
  readonly before: Map<string, string>;
  /** The versions that a save gave. */
  readonly saved: string[];
}

/** What the value says it was saved over. */
const note = ({ before }: Play, { value, version }: StoredValue) => before.set(version, value.split(" ")[1] ?? "");

async function work(store: TokenStore, who: number, world: Play): Promise<void> {
  for (const turn of TURNS) {
    const found = await store.load(); // throws where what is there is damaged
    if (found) note(world, found);
    if (world.removes && found && who === 0 && turn === 1) await store.remove();
    else await saveOver(store, found, world);
    if (world.random(4) === 0) ageUnfinishedWrites(world);
  }
}

async function saveOver(store: TokenStore, found: StoredValue | undefined, world: Play): Promise<void> {
  const filler = "x".repeat(world.random(5) * ITEM_LIMIT);
  const value = `over ${found?.version ?? "none"} ${filler}`;
  try {
    const version = await store.save(value, found?.version);
    note(world, { value, version });
    world.saved.push(version);
  } catch (error) {
    if (!(error instanceof StoreConflictError)) throw error;
  }
}

/** All that was said to be saved stands in one line, from the first to what is stored now. */
async function checkLine(world: Play, found: StoredValue | undefined): Promise<void> {
  if (found) note(world, found);
  const line: string[] = [];
  for (let version = found?.version; version !== undefined && version !== "none"; version = world.before.get(version)) {
    line.push(version);
  }
  expect(line).toEqual(expect.arrayContaining(world.saved));
}

async function play(seed: number, { removes = false, ...fate }: Fate & { readonly removes?: boolean }): Promise<void> {
  const random = randomFrom(seed);
  const world: Play = { ...newWorld(), random, removes, before: new Map(), saved: [] };
  const schedule = new Schedule(random, { ...fate, burst: [1, 5, 60][random(3)] });
  const open = (who: number) =>
    openStore(world, {
      fs: schedule.of(who, unsyncedFileSystem),
      backend: schedule.of(who, memoryKeychain(world.items)),
    });
  await schedule.run([0, 1, 2].map((who) => work(open(who), who, world)));
  const store = openStore(world);
  const found = await store.load();
  if (!removes) await checkLine(world, found);
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
] as const)("processes that %s, in any order of their calls", (_name, fate) => {
  const seeds = Array.from({ length: Number(process.env.SEEDS ?? 60) }, (_, seed) => seed);
  test.each(seeds)("%i", (seed) => play(seed, fate));
});
