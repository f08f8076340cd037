/** The page that names our tests names tests that exist. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/guarantees.md"), "utf8");
const promises = Array.from({ length: 15 }, (_, index) => `P${index + 1}`);

/** The files and test titles of one promise's row: `file`: "title", "title"; `file`: … */
function testsOf(promise: string): { file: string; title: string }[] {
  const [, row = ""] = page.split("## Mechanisms and tests");
  const cells = row.split("\n").find((line) => new RegExp(`^\\| ${promise} +\\|`).test(line));
  return [...(cells?.split("|")[3] ?? "").matchAll(/`([^`]+\.ts)`: ((?:"[^"]+"(?:, )?)+)/g)].flatMap(
    ([, file = "", titles = ""]) => [...titles.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => ({ file, title })),
  );
}

describe.each(promises)("%s", (promise) => {
  it("names tests that exist", () => {
    const named = testsOf(promise);
    expect(named).not.toEqual([]);
    const missing = named.filter(({ file, title }) => {
      const path = join(root, file);
      return !existsSync(path) || !readFileSync(path, "utf8").includes(title);
    });
    expect(missing).toEqual([]);
  });
});
