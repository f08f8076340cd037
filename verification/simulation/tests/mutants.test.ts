import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { expect, it } from "vitest";
import { MUTANTS } from "../mutants.ts";
import { applyEdit, type Edit, ROOT } from "../mutate.ts";

/** Applies all edits of one mutant and returns the mutated files. */
function mutate(edits: readonly Edit[]): Map<string, string> {
  const sources = new Map<string, string>();
  for (const edit of edits) {
    const source = sources.get(edit.file) ?? readFileSync(join(ROOT, edit.file), "utf8").replaceAll("\r\n", "\n");
    sources.set(edit.file, applyEdit(source, edit));
  }
  return sources;
}

it.each(MUTANTS)("has a mutant that fits its source: $name", ({ edits }) => {
  const sources = [...mutate(edits).values()];
  for (const source of sources) expect(() => stripTypeScriptTypes(source)).not.toThrow();
});

it("gives each mutant a unique name", () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});
