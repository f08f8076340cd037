import { existsSync } from "node:fs";
import { reconcile, StoreConflictError, type TokenStore } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { expect, test } from "vitest";
import { openFileStore } from "../src/file-store.ts";
import { type FileSystem, nodeFileSystem } from "../src/filesystem.ts";
import { chainOf, freshPath, textOf } from "./support.ts";

/** Reproducible chance (mulberry32). */
function chanceFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Lets one file system call at a time through, of whichever process chance picks; some processes die on the way. */
class Schedule {
  readonly #chance: (below: number) => number;
  readonly #waiting: { readonly who: number; readonly call: () => Promise<unknown> }[] = [];
  readonly #dead = new Set<number>();
  readonly #deathOdds: number;

  constructor(chance: (below: number) => number, deathOdds: number) {
    this.#chance = chance;
    this.#deathOdds = deathOdds;
  }

  fileSystem(who: number): FileSystem {
    const calls = Object.entries({ ...nodeFileSystem, syncDirectory: async () => undefined, create: createFast });
    const scheduled = calls.map(([name, call]) => {
      const run = call as (...args: unknown[]) => Promise<unknown>;
      return [name, (...args: unknown[]) => this.#queue(who, () => run(...args))];
    });
    return Object.fromEntries(scheduled) as unknown as FileSystem;
  }

  #queue(who: number, call: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ who, call: () => call().then(resolve, reject) });
    });
  }

  async run(tasks: readonly Promise<unknown>[]): Promise<void> {
    let isDone = false;
    const all = tasks.map((task, who) => Promise.race([task, this.#death(who)]));
    const settled = Promise.all(all).finally(() => {
      isDone = true;
    });
    while (!isDone) {
      await new Promise(setImmediate); // whoever can go on does, up to its next call
      const candidates = this.#waiting.filter(({ who }) => !this.#dead.has(who));
      const next = candidates[this.#chance(candidates.length)];
      if (next) await this.#letThrough(next);
    }
    await settled;
  }

  readonly #mourners = new Map<number, () => void>();
  #death(who: number): Promise<void> {
    return new Promise((resolve) => this.#mourners.set(who, resolve));
  }

  async #letThrough(next: { readonly who: number; readonly call: () => Promise<unknown> }): Promise<void> {
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    if (this.#deathOdds === 0 || this.#chance(this.#deathOdds) > 0) return void (await next.call());
    this.#dead.add(next.who);
    this.#mourners.get(next.who)?.();
  }
}

const createFast: FileSystem["create"] = (path, text) => nodeFileSystem.create(path, text, { durable: false });

/** What the processes were told. */
interface History {
  readonly saved: { readonly expected: string | undefined; readonly version: string }[];
  /** The value of each version that somebody saved or loaded: `[who, turn, version before]`. */
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

async function play(seed: number, { deathOdds = 0, removes = false }): Promise<void> {
  const path = freshPath();
  const chance = chanceFrom(seed);
  const schedule = new Schedule(chance, deathOdds);
  const history: History = { saved: [], values: new Map() };
  const isLockKept = chance(2) === 0;
  const locks = new Set<string>();
  const lock = async (directory: string) => {
    if (isLockKept) {
      if (locks.has(directory)) return undefined;
      locks.add(directory);
    }
    return async () => void locks.delete(directory);
  };
  const tasks = [0, 1, 2].map((who) => {
    const store = openFileStore(path, { fs: schedule.fileSystem(who), lock, reconcile });
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
  // All saves that were told of stand in one line, from the first to what is stored now.
  const line: string[] = [];
  if (found) values.set(found.version, found.value);
  for (let version = found?.version; version !== undefined && version !== "none"; ) {
    line.push(version);
    version = (JSON.parse(values.get(version) ?? "[]") as string[])[2];
  }
  expect(line).toEqual(expect.arrayContaining(saved.map(({ version }) => version)));
}

const seeds = Array.from({ length: 60 }, (_, seed) => seed);

test.each([
  ["processes that live", {}],
  ["processes that die", { deathOdds: 60 }],
  ["processes of which one removes", { removes: true }],
])("%s, in any order of their calls", async (_name, options) => {
  for (const seed of seeds) await play(seed, options);
});
