import { expect, it } from "vitest";
import { MUTANTS } from "../mutants.ts";
import { parseOptions, selectMutants } from "../options.ts";

const selected = (...args: string[]) => selectMutants(MUTANTS, parseOptions(args));

it("runs 20,000 seeds from 1 by default", () => {
  expect(parseOptions([])).toMatchObject({ runs: 20_000, seed: 1, replay: false, mutants: false });
});

it("splits the mutants into disjoint shares that cover all of them", () => {
  expect(selected()).toEqual(MUTANTS);
  const shares = ["1/3", "2/3", "3/3"].map((share) => selected("--share", share));
  expect(new Set(shares.flat())).toEqual(new Set(MUTANTS));
  expect(shares.flat()).toHaveLength(MUTANTS.length);
});

it("rejects a selection without a mutant", () => {
  expect(() => selected("--only", "no such mutant")).toThrow("No mutant of this share");
});

it.each([
  ["--share", "0/3"],
  ["--share", "4/3"],
  ["--share", "third"],
  ["--seed", "-1"],
  ["--runs", "many"],
])("rejects %s %s", (option, value) => {
  expect(() => parseOptions([`${option}=${value}`])).toThrow(`${option} must be a`);
});
