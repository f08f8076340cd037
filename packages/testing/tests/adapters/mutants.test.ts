import { afterAll, describe, expect, it, test } from "vitest";
import { adapterCases, ConformanceError, describeAdapter, runAdapterCase } from "../../src/index.ts";
import { mutants } from "./mutants/index.ts";
import { harnessFor } from "./reference-harness.ts";

const caseOf = new Map(adapterCases.map((each) => [each.name, each]));
/** The first line of what each mutant's author is told. */
const told = new Map<string, string>();

describe("the unbroken client that all mutants are made of", () => {
  describeAdapter({ describe, it }, harnessFor());

  test("lacks nothing, so that no case is skipped", () => {
    expect(harnessFor().lacks).toEqual({});
  });
});

describe.concurrent("each mutant is caught by the case named for it", () => {
  for (const { name, caughtBy, clause, says, Client } of mutants) {
    test(name, async () => {
      const each = caseOf.get(caughtBy);
      if (!each) throw new TypeError(`There is no case "${caughtBy}".`);
      const caught: unknown = await runAdapterCase(each, harnessFor(Client)).catch((error: unknown) => error);
      expect(caught).toBeInstanceOf(ConformanceError);
      const { message, clause: broken } = caught as ConformanceError;
      const [first = ""] = message.split("\n");
      expect(first).toContain(says);
      expect(broken).toBe(clause);
      told.set(name, first);
    });
  }
});

afterAll(() => {
  const caught = mutants.filter(({ name }) => told.has(name));
  const rows = caught.map(({ name, caughtBy }) => [name, caughtBy, shorten(told.get(name) ?? "")]);
  const table = [["mutant", "caught by the case", "which says"], ...rows];
  const widths = [0, 1].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  process.stdout.write(`${lines.join("\n")}\n${caught.length} of ${mutants.length} broken adapters were caught.\n`);
});

const shorten = (line: string): string => (line.length > 120 ? `${line.slice(0, 120)}…` : line);

test("each case is needed by a mutant", () => {
  const catching = new Set(mutants.map(({ caughtBy }) => caughtBy));
  expect([...caseOf.keys()].filter((name) => !catching.has(name))).toEqual([]);
});

test("mutants have names of their own", () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
});
