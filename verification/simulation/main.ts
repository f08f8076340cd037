/** `pnpm simulate`: see README.md. */
import { availableParallelism } from "node:os";
import { merge } from "./campaign.ts";
import { MUTANTS } from "./mutants.ts";
import type { Mutant } from "./mutate.ts";
import { parseOptions, selectMutants } from "./options.ts";
import { printFailure, printTotals } from "./report.ts";
import { run } from "./run.ts";
import { shrink } from "./shrink.ts";
import { inParallel, runInWorker } from "./worker-pool.ts";

const options = parseOptions(process.argv.slice(2));
const { seed, runs } = options;
const workers = availableParallelism();
const MUTANT_RUNS = 15_000; // how rare a mutant is changes with what seeds mean

if (options.replay) await replay(seed);
else if (options.mutants) await findMutants();
else await simulate();

async function simulate(): Promise<void> {
  const started = performance.now();
  const end = seed + runs;
  const shares = Array.from({ length: workers }, (_, index) => ({ first: seed + index, stride: workers, end }));
  const totals = merge(await inParallel(shares, workers, (share) => runInWorker(share)));
  printTotals(totals, performance.now() - started);
  if (totals.failure) await replay(totals.failure.seed);
  else console.log("No invariant was violated.");
}

/** Runs a seed and prints the shortest schedule found that violates the same invariant. */
async function replay(failing: number): Promise<void> {
  const first = await run(failing);
  if (!first.violation) return console.log(`Seed ${failing} violates no invariant (${first.steps} steps).`);
  const shortest = await shrink(first, run);
  printFailure(await run(failing, { choices: shortest.choices, trace: true }));
  process.exitCode = 1;
}

async function findMutants(): Promise<void> {
  const found = await inParallel(selectMutants(MUTANTS, options), workers, findMutant);
  const missed = found.filter((isFound) => !isFound).length;
  console.log(
    missed === 0 ? `All ${found.length} mutants were found.` : `${missed} of ${found.length} were not found.`,
  );
  if (missed > 0) process.exitCode = 1;
}

/** Searches for a seed that violates an invariant with the mutant, but not without it. */
async function findMutant(mutant: Mutant): Promise<boolean> {
  const { name, focus } = mutant;
  const end = seed + MUTANT_RUNS;
  for (let first = seed; first < end; first++) {
    const { failure } = await runInWorker({ first, stride: 1, end }, mutant);
    if (!failure) break;
    first = failure.seed;
    if ((await run(first, { focus })).violation) continue;
    console.log(
      `${name.padEnd(52)} ${failure.invariant.padEnd(4)} after ${first - seed + 1} runs: ${failure.text.slice(0, 130)}`,
    );
    return true;
  }
  console.log(`${name.padEnd(52)} NOT FOUND in ${MUTANT_RUNS} runs`);
  return false;
}
