import { expect, it } from "vitest";
import { ciProofs, nightlyProofs, type Proof, prove } from "./proofs.ts";

const DAY = 24 * 60 * 60 * 1000;

/** Runs the proofs, and returns their counts and what they print. */
async function outcomeOf(proofs: readonly Proof[]) {
  let printed = "";
  const counts = await prove(proofs, (line) => {
    printed += line;
  });
  return { ...counts, printed };
}

it("plays all mutants within four days", () => {
  const shares = [0, 1, 2, 3].map((days) => ciProofs(Date.now() + days * DAY)[2]?.at(-1));
  expect(new Set(shares)).toEqual(new Set(["1/4", "2/4", "3/4", "4/4"]));
});

it.each([
  ["CI", () => ciProofs(Date.now())],
  ["nightly", nightlyProofs],
])("picks new fresh seeds for each %s run", (_, proofsOf) => {
  const seeds = [proofsOf(), proofsOf()].flat().flatMap((proof) => proof[proof.indexOf("--seed") + 1] ?? []);
  const fresh = seeds.map(Number).filter((seed) => seed >= 1_000_000);
  expect(fresh).toHaveLength(4);
  expect(new Set(fresh).size).toBe(4);
});

it("prints the command that repeats a proof when it starts, and its outcome if it holds", async () => {
  const { passed, failed, printed } = await outcomeOf([["simulate", "--seed", "7", "--runs", "1"]]);
  expect({ passed, failed }).toEqual({ passed: 1, failed: 0 });
  expect(printed).toMatch(
    /^started: pnpm simulate --seed 7 --runs 1\nproof: pnpm simulate --seed 7 --runs 1: No invariant was violated\. \(\d+ s\)\n$/,
  );
});

it("prints the full output of a proof that fails", async () => {
  const { passed, failed, printed } = await outcomeOf([["simulate", "--mutants", "--only", "no such mutant"]]);
  expect({ passed, failed }).toEqual({ passed: 0, failed: 1 });
  expect(printed).toContain("FAILED\n");
  expect(printed).toContain('No mutant of this share has a name that contains "no such mutant"');
});

it("runs a proof that waits beside one that computes", async () => {
  const { printed } = await outcomeOf([["simulate", "--seed", "7", "--runs", "100"], ["count:auth"]]);
  expect(printed).toMatch(/\nproof: pnpm count:auth: .*\nproof: pnpm simulate .*\n$/);
});
