import { expect, test } from "vitest";
import { MUTANTS } from "../mutants.ts";
import { parseOptions, selectMutants } from "../options.ts";

const selected = (...args: string[]) => selectMutants(MUTANTS, parseOptions(args));

test("plays 20,000 seeds from 1 by default", () => {
  expect(parseOptions([])).toMatchObject({ runs: 20_000, seed: 1, replay: false, mutants: false });
});

test("the shares together are all mutants, each once", () => {
  expect(selected()).toEqual(MUTANTS);
  const shares = ["1/3", "2/3", "3/3"].map((share) => selected("--share", share));
  expect(new Set(shares.flat())).toEqual(new Set(MUTANTS));
  expect(shares.flat()).toHaveLength(MUTANTS.length);
});

test("rejects a selection without a mutant", () => {
  expect(() => selected("--only", "no such mutant")).toThrow("--only: no mutant");
});

test.each([
  ["--share", "0/3"],
  ["--share", "4/3"],
  ["--share", "third"],
  ["--seed", "-1"],
  ["--runs", "many"],
])("rejects %s %s", (option, value) => {
  expect(() => parseOptions([`${option}=${value}`])).toThrow(`${option}: expected a`);
});
