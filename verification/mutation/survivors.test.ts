import { expect, it } from "vitest";
import { compare, type Mutant } from "./survivors.ts";

const FILE = "packages/core/src/x.ts";
const sourceOf = () => "const a = b?.c;\nif (a) {\n  d();\n}\n";

const chain = (status: string): Mutant => ({
  file: FILE,
  mutatorName: "OptionalChaining",
  replacement: "b.c",
  status,
  location: { start: { line: 1, column: 11 }, end: { line: 1, column: 15 } },
});
const block: Mutant = {
  file: FILE,
  mutatorName: "BlockStatement",
  replacement: "{}",
  status: "NoCoverage",
  location: { start: { line: 2, column: 8 }, end: { line: 4, column: 2 } },
};
const explained = { [FILE]: [{ why: "because", mutants: ["OptionalChaining: b?.c => b.c"] }] };

it("names unexplained survivors by their mutation", () => {
  expect(compare([chain("Survived"), block, chain("Killed"), chain("Timeout")], {}, sourceOf)).toEqual({
    unexplained: [`${FILE}:1 OptionalChaining: b?.c => b.c`, `${FILE}:2 BlockStatement: { d(); } => {}`],
    gone: [],
  });
});

it("counts each explanation for one survivor only", () => {
  expect(compare([chain("Survived")], explained, sourceOf)).toEqual({ unexplained: [], gone: [] });
  expect(compare([chain("Survived"), chain("Survived")], explained, sourceOf).unexplained).toHaveLength(1);
});

it("reports explanations that are no longer needed, for mutated files only", () => {
  const more = { ...explained, "y.ts": [{ why: "because", mutants: ["A: b => c"] }] };
  expect(compare([chain("Killed")], more, sourceOf)).toEqual({
    unexplained: [],
    gone: [`${FILE} OptionalChaining: b?.c => b.c`],
  });
});
