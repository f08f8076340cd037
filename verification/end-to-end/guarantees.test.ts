/** Checks that the tests quoted in docs/guarantees.md exist. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/guarantees.md"), "utf8");
const promises = Array.from({ length: 15 }, (_, index) => `P${index + 1}`);

/** The tests that a text quotes, as in `file`: "title", "title"; `file`: … */
const testsIn = (text: string): { file: string; title: string }[] =>
  [...text.matchAll(/`([^`]+\.ts)`: ((?:"[^"]+"(?:, )?)+)/g)].flatMap(([, file = "", titles = ""]) =>
    [...titles.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => ({ file, title })),
  );

const isMissing = ({ file, title }: { readonly file: string; readonly title: string }): boolean => {
  const path = join(root, file);
  return !existsSync(path) || !readFileSync(path, "utf8").includes(title);
};

it.each(promises)("quotes tests for %s", (promise) => {
  const [, table = ""] = page.split("## Mechanisms and tests");
  const row = table.split("\n").find((line) => new RegExp(`^\\| ${promise} +\\|`).test(line));
  expect(testsIn(row?.split("|")[3] ?? "")).not.toEqual([]);
});

it("quotes only tests that exist", () => {
  expect(testsIn(page).filter(isMissing)).toEqual([]);
});
