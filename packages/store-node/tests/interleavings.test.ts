import { existsSync } from "node:fs";
import { StoreConflictError, type TokenStore } from "@unexpired/core";
import * as sessionRecord from "@unexpired/core/session-record";
import { fileStore } from "@unexpired/store-node";
import { type Fate, randomFrom, Schedule } from "@unexpired-internal/test-support/schedule";
import { expect, it } from "vitest";
import { openFileStore } from "../src/file-store.ts";
import { type FileSystem, nodeFileSystem } from "../src/filesystem.ts";
import { chainOf, freshPath, textOf } from "./support.ts";

/** A disk without syncing: these tests do not simulate power failures. */
const disk: FileSystem = {
  ...nodeFileSystem,
  syncDirectory: async () => undefined,
  create: (path, text) => nodeFileSystem.create(path, text, { durable: false }),
};

/** The results that the processes received. */
interface History {
  readonly saved: { readonly expected: string | undefined; readonly version: string }[];
  /** The value of each version that a process saved or loaded: `[who, turn, previous version]`. */
  readonly values: Map<string, string>;
}

interface Worker {
  readonly store: TokenStore;
  readonly who: number;
  readonly removes: boolean;
  readonly history: History;
}

const TURNS = [0, 1, 2];

async function work(worker: Worker): Promise<void> {
  for (const turn of TURNS) {
    const found = await worker.store.load();
    if (found) worker.history.values.set(found.version, found.value);
    if (worker.removes && found && turn === 1) await worker.store.remove();
    else await saveOver(worker, turn, found?.version);
  }
}

async function saveOver({ store, who, history }: Worker, turn: number, expected: string | undefined): Promise<void> {
  const value = JSON.stringify([who, turn, expected ?? "none"]);
  try {
    const version = await store.save(value, expected);
    history.saved.push({ expected, version });
    history.values.set(version, value);
  } catch (error) {
    if (!(error instanceof StoreConflictError)) throw error;
  }
}

async function play(
  seed: number,
  { deathOdds, removes = false }: Fate & { readonly removes?: boolean },
): Promise<void> {
  const path = freshPath();
  const random = randomFrom(seed);
  const schedule = new Schedule(random, { deathOdds });
  const history: History = { saved: [], values: new Map() };
  const isLockKept = random(2) === 0;
  const locks = new Set<string>();
  const lock = async (directory: string) => {
    if (isLockKept) {
      if (locks.has(directory)) return undefined;
      locks.add(directory);
    }
    return async () => void locks.delete(directory);
  };
  const tasks = [0, 1, 2].map((who) => {
    const fs = { ...schedule.of(who, disk), now: disk.now };
    const store = openFileStore(path, { fs, lock, rules: sessionRecord });
    return work({ store, who, removes: removes && who === 0, history });
  });
  await schedule.run(tasks);
  await check(path, history, removes);
}

async function check(path: string, { saved, values }: History, removes: boolean): Promise<void> {
  const found = await fileStore({ path }).load();
  if (found) expect(textOf(path)).toBe(found.value);
  else expect(existsSync(path)).toBe(false);
  expect(existsSync(`${chainOf(path)}-removed`)).toBe(false);
  expect(new Set(saved.map(({ version }) => version)).size).toBe(saved.length);
  const expectations = saved.flatMap(({ expected }) => (expected === undefined ? [] : [expected]));
  expect(new Set(expectations).size).toBe(expectations.length);
  if (removes) return;
  // All successful saves form one chain, from the first to the stored version.
  const lineage: string[] = [];
  if (found) values.set(found.version, found.value);
  for (let version = found?.version; version !== undefined && version !== "none"; ) {
    lineage.push(version);
    version = (JSON.parse(values.get(version) ?? "[]") as string[])[2];
  }
  expect(lineage).toEqual(expect.arrayContaining(saved.map(({ version }) => version)));
}

const seeds = Array.from({ length: 60 }, (_, seed) => seed);

it.each([
  ["processes that keep running", {}],
  ["processes that die", { deathOdds: 60 }],
  ["processes of which one removes the session", { removes: true }],
])("loses no save of %s, in any order of their calls", async (_name, options) => {
  for (const seed of seeds) await play(seed, options);
});
