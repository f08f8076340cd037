import module from "node:module";
import { expect, test } from "vitest";
import { MUTANTS } from "../mutants.ts";
import { run } from "../run.ts";
import { inParallel, runInWorker } from "../worker-pool.ts";

const seeds = Array.from({ length: 150 }, (_, index) => index + 1);

test("150 worlds violate no invariant", async () => {
  const failures: string[] = [];
  for (const seed of seeds) {
    const { violation } = await run(seed);
    if (violation) failures.push(`seed ${seed}: ${violation.invariant}: ${violation.text}`);
  }
  expect(failures).toEqual([]);
});

test.each([3, 8, 11, 24])("seed %d: the same seed is the same schedule", async (seed) => {
  const [first, second] = [await run(seed, { trace: true }), await run(seed, { trace: true })];
  expect(first.trace).toEqual(second.trace);
  expect(first.choices).toEqual(second.choices);
});

test("a run is replayed by its choices", async () => {
  const first = await run(12, { trace: true });
  const second = await run(12, { trace: true, choices: first.choices });
  expect(second.trace).toEqual(first.trace);
});

test("broken rules are seen", async ({ skip }) => {
  skip(!("registerHooks" in module), "not applicable: this Node cannot change a source while it loads it");
  const wanted = ["claim without compare-and-set", "lease by wall clock", "no claim before sending"];
  const mutants = MUTANTS.filter(({ name }) => wanted.includes(name));
  const found = await inParallel(mutants, 2, ({ edits }) => runInWorker({ first: 1, stride: 1, end: 500 }, edits));
  expect(found.map(({ failure }) => failure?.invariant)).not.toContain(undefined);
  expect(found).toHaveLength(wanted.length);
});
