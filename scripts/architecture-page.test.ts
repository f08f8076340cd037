/** docs/architecture.md names a test for every interleaving. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./workspace.ts";

const read = (file: string) => readFileSync(join(root, file), "utf8");
const rows = read("docs/architecture.md")
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .filter(([, id = ""]) => /^I\d+$/.test(id))
  .map(([, id = "", , , test = ""]) => ({ id, test }));

it("has the interleavings I1 to I16, and later ones in order", () => {
  const numbers = rows.map(({ id }) => Number(id.slice(1)));
  expect(numbers.slice(0, 16)).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
});

describe("each has a test with its number", () => {
  it.each(rows.filter(({ test }) => !test.startsWith("none")))("$id", ({ id, test }) => {
    expect(read(test.replaceAll("`", ""))).toMatch(new RegExp(`\\b${id}\\b`));
  });
});
