import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MUTANTS } from "../mutants.ts";
import { applyEdit, type Edit, ROOT } from "../mutate.ts";

/** All mutated files of one mutant. */
function mutate(edits: readonly Edit[]): Map<string, string> {
  const sources = new Map<string, string>();
  for (const edit of edits) {
    const source = sources.get(edit.file) ?? readFileSync(join(ROOT, edit.file), "utf8").replaceAll("\r\n", "\n");
    sources.set(edit.file, applyEdit(source, edit));
  }
  return sources;
}

test.each(MUTANTS)("still fits its source: $name", ({ edits }) => {
  expect(() => mutate(edits)).not.toThrow();
});

test("each mutant has a name of its own", () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});
