import { afterAll, describe, expect, test } from "vitest";
import { CANARY, type Clause, ConformanceError } from "../src/index.ts";

/** Something with one fault. */
export interface MutantInfo {
  /** The fault: what it does. */
  readonly name: string;
  /** The name of the case that finds it. */
  readonly caughtBy: string;
  readonly clause: Clause;
  /** A part of what its author is told. */
  readonly says: string;
}

/** Defines a test for each mutant: `run` resolves to what the case named for it throws, or to why it could not be run. */
export function describeMutants<Mutant extends MutantInfo>(
  mutants: readonly Mutant[],
  cases: readonly { readonly name: string }[],
  run: (mutant: Mutant) => Promise<unknown>,
): void {
  /** The first line of what each mutant's author is told. */
  const told = new Map<string, string>();
  describe.concurrent("each mutant is caught by the case named for it", () => {
    for (const mutant of mutants) {
      test(mutant.name, { timeout: 120_000 }, async ({ skip }) => {
        const caught = await run(mutant);
        if (typeof caught === "string") skip(caught);
        expect(caught).toBeInstanceOf(ConformanceError);
        const { message, clause } = caught as ConformanceError;
        const [first = ""] = message.split("\n");
        expect(first).toContain(mutant.says);
        expect(clause).toBe(mutant.clause);
        told.set(mutant.name, first);
      });
    }
  });

  test("each case is needed by a mutant", () => {
    const catching = new Set(mutants.map(({ caughtBy }) => caughtBy));
    expect(cases.filter(({ name }) => !catching.has(name))).toEqual([]);
  });

  test("mutants have names of their own, and there are enough of them", () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
    expect(mutants.length).toBeGreaterThanOrEqual(20);
  });

  afterAll(() => print(mutants, told));
}

function print(mutants: readonly MutantInfo[], told: ReadonlyMap<string, string>): void {
  const caught = mutants.filter(({ name }) => told.has(name));
  const rows = caught.map(({ name, caughtBy }) => [
    name,
    caughtBy,
    shorten((told.get(name) ?? "").replaceAll(CANARY, "")),
  ]);
  const table = [["mutant", "caught by the case", "which says"], ...rows];
  const widths = [0, 1].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  process.stdout.write(`${lines.join("\n")}\n${caught.length} of ${mutants.length} mutants were caught.\n`);
}

const shorten = (line: string): string => (line.length > 120 ? `${line.slice(0, 120)}…` : line);
