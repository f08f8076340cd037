/** Checks that every promise of docs/guarantees.md names tests, and that they exist. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/guarantees.md"), "utf8").replaceAll("\r\n", "\n");
const promises = Array.from({ length: 15 }, (_, index) => `P${index + 1}`);

interface NamedTest {
  readonly file: string;
  readonly title: string;
}

/** The tests that a text names, each in a bullet: `file`: "title". */
const testsIn = (text: string): readonly NamedTest[] =>
  [...text.matchAll(/^- `([^`]+\.ts)`: "([^"]+)"/gm)].map(([, file = "", title = ""]) => ({ file, title }));

/** The text from the heading of a promise to the next heading. */
const sectionOf = (promise: string): string => new RegExp(`^### ${promise}\\n(.*?)(?=^#)`, "ms").exec(page)?.[1] ?? "";

const isMissing = ({ file, title }: NamedTest): boolean => {
  const path = join(root, file);
  return !existsSync(path) || !readFileSync(path, "utf8").includes(title);
};

it.each(promises)("finds tests of %s", (promise) => {
  expect(testsIn(sectionOf(promise))).not.toEqual([]);
});

it("finds only tests that exist", () => {
  expect(testsIn(page).filter(isMissing)).toEqual([]);
});

it("understands every bullet that names a test", () => {
  const [, listed = ""] = /^## Promises\n(.*?)^## What is not/ms.exec(page) ?? [];
  expect(listed.match(/^- /gm)).toHaveLength(testsIn(listed).length);
});
