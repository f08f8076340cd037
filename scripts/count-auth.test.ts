import { expect, it } from "vitest";
import { codeLines } from "./count-auth.ts";

it("counts lines of code, and neither blank lines nor comments", () => {
  const source = [
    "/** A comment",
    " * of two lines. */",
    'import { a } from "a";',
    "",
    "// a comment",
    "const b = a(); // on a line of code",
    "  /* indented */",
    "b({",
    "  c: 1,",
    "});",
    "",
  ];
  expect(codeLines(source.join("\n"))).toBe(5);
});
