import { type Focus, type RunResult, run } from "./run.ts";

/** The seeds of one worker: every `stride`-th from `first` up to, but not including, `end`. */
export interface Share {
  readonly first: number;
  readonly stride: number;
  readonly end: number;
}

/** The results of many runs. Plain data, because it crosses threads. */
export interface Totals {
  runs: number;
  steps: number;
  exchanges: number;
  replays: number;
  readonly injected: Record<string, number>;
  readonly states: string[];
  /** The failing seed with the lowest number. */
  failure: { readonly seed: number; readonly invariant: string; readonly text: string } | undefined;
}

/** Runs a share of the seeds, up to the first violation. */
export async function campaign({ first, stride, end }: Share, focus?: Focus): Promise<Totals> {
  const totals: Totals = { runs: 0, steps: 0, exchanges: 0, replays: 0, injected: {}, states: [], failure: undefined };
  const states = new Set<string>();
  for (let seed = first; seed < end && !totals.failure; seed += stride) {
    const result = await runSafely(seed, focus);
    totals.runs++;
    totals.steps += result.steps;
    totals.exchanges += result.exchanges;
    totals.replays += result.replays;
    for (const [kind, count] of Object.entries(result.injected)) add(totals.injected, kind, count);
    for (const state of result.states) states.add(state);
    if (result.violation) totals.failure = { seed, ...result.violation };
  }
  totals.states.push(...states);
  return totals;
}

/** Adds up the totals of all workers. */
export function merge(all: readonly Totals[]): Totals {
  const injected: Record<string, number> = {};
  for (const totals of all) for (const [kind, count] of Object.entries(totals.injected)) add(injected, kind, count);
  const sum = (of: (totals: Totals) => number) => all.reduce((total, each) => total + of(each), 0);
  const failures = all.flatMap(({ failure }) => (failure ? [failure] : []));
  return {
    runs: sum(({ runs }) => runs),
    steps: sum(({ steps }) => steps),
    exchanges: sum(({ exchanges }) => exchanges),
    replays: sum(({ replays }) => replays),
    injected,
    states: [...new Set(all.flatMap(({ states }) => states))],
    failure: failures.sort((a, b) => a.seed - b.seed)[0],
  };
}

const add = (counts: Record<string, number>, kind: string, count: number): void => {
  counts[kind] = (counts[kind] ?? 0) + count;
};

/** Runs a seed; an exception is wrapped in one that names the seed. */
async function runSafely(seed: number, focus: Focus | undefined): Promise<RunResult> {
  try {
    return await run(seed, { focus });
  } catch (cause) {
    throw new Error(`Seed ${seed} threw an exception.`, { cause });
  }
}
