import module from "node:module";
import { expect, it } from "vitest";
import { MUTANTS } from "../mutants.ts";
import { run } from "../run.ts";
import { inParallel, runInWorker } from "../worker-pool.ts";

it.each([1, 26, 51, 76, 101, 126])("violates no invariant in the 25 worlds from seed %d", async (first) => {
  const failures: string[] = [];
  for (let seed = first; seed < first + 25; seed++) {
    const { violation } = await run(seed);
    if (violation) failures.push(`seed ${seed}: ${violation.invariant}: ${violation.text}`);
  }
  expect(failures).toEqual([]);
});

it.each([3, 8, 11, 24])("runs the same schedule for the same seed: %d", async (seed) => {
  const [first, second] = [await run(seed, { trace: true }), await run(seed, { trace: true })];
  expect(first.trace).toEqual(second.trace);
  expect(first.choices).toEqual(second.choices);
});

it("replays a run from its choices", async () => {
  const first = await run(12, { trace: true });
  const second = await run(12, { trace: true, choices: first.choices });
  expect(second.trace).toEqual(first.trace);
});

it("detects broken rules", async ({ skip }) => {
  skip(!("registerHooks" in module), "not applicable: this version of Node cannot change sources while it loads them");
  const wanted = ["claim without compare-and-set", "lease by wall clock", "no claim before sending"];
  const mutants = MUTANTS.filter(({ name }) => wanted.includes(name));
  const found = await inParallel(mutants, 2, (mutant) => runInWorker({ first: 1, stride: 1, end: 500 }, mutant));
  expect(found.map(({ failure }) => failure?.invariant)).not.toContain(undefined);
  expect(found).toHaveLength(wanted.length);
});
