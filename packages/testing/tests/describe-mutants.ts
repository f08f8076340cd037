import { afterAll, describe, expect, it } from "vitest";
import { CANARY, type Clause, ConformanceError } from "../src/index.ts";

/** A store or a client with one fault. */
export interface MutantInfo {
  /** The faulty behavior: completes "it …". */
  readonly name: string;
  /** The name of the case that catches it. */
  readonly caughtBy: string;
  readonly clause: Clause;
  /** A part of the first line of the message. */
  readonly says: string;
}

/**
 * Defines a test for each mutant. `run` resolves to the error of the mutant's case, or to the reason for skipping it.
 */
export function describeMutants<Mutant extends MutantInfo>(
  mutants: readonly Mutant[],
  cases: readonly { readonly name: string }[],
  run: (mutant: Mutant) => Promise<unknown>,
): void {
  /** The first line of the message for each mutant. */
  const messages = new Map<string, string>();
  describe.concurrent("the kit catches a mutant that", () => {
    for (const mutant of mutants) {
      it(mutant.name, { timeout: 120_000 }, async ({ skip }) => {
        const caught = await run(mutant);
        if (typeof caught === "string") skip(caught);
        expect(caught).toBeInstanceOf(ConformanceError);
        const { message, clause } = caught as ConformanceError;
        const [first = ""] = message.split("\n");
        expect(first).toContain(mutant.says);
        expect(clause).toBe(mutant.clause);
        messages.set(mutant.name, first);
      });
    }
  });

  it("has a mutant for each case", () => {
    const catching = new Set(mutants.map(({ caughtBy }) => caughtBy));
    expect(cases.filter(({ name }) => !catching.has(name))).toEqual([]);
  });

  it("has at least 20 mutants, with unique names", () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
    expect(mutants.length).toBeGreaterThanOrEqual(20);
  });

  afterAll(() => printTable(mutants, messages));
}

function printTable(mutants: readonly MutantInfo[], messages: ReadonlyMap<string, string>): void {
  const caught = mutants.filter(({ name }) => messages.has(name));
  const rows = caught.map(({ name, caughtBy }) => [
    name,
    caughtBy,
    shorten((messages.get(name) ?? "").replaceAll(CANARY, "")),
  ]);
  const table = [["mutant", "caught by the case", "with the message"], ...rows];
  const widths = [0, 1].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  process.stdout.write(`${lines.join("\n")}\n${caught.length} of ${mutants.length} mutants were caught.\n`);
}

const shorten = (line: string): string => (line.length > 120 ? `${line.slice(0, 120)}…` : line);
