/** Checks that the pages about writing a store, an adapter and a format quote every clause, and show code as it is. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readPage, root } from "./support/pages.ts";

const read = (file: string) => readFileSync(join(root, file), "utf8");
const contracts = read("packages/testing/src/contract.ts");

/** Reads the clauses of a contract, with the text that failures of the conformance kit quote. */
function clausesOf(name: string) {
  const [, contract = ""] = new RegExp(`^const ${name} = \\{$(.*?)^\\} as const;$`, "ms").exec(contracts) ?? [];
  return [...contract.matchAll(/^ {2}(\w+):\s+(?:"(.+)"|'(.+)'),$/gm)].map(([, clause = "", double, single]) => ({
    clause,
    text: double ?? single,
  }));
}

describe.each([
  ["docs/writing-a-store.md", "STORE"],
  ["docs/writing-an-adapter.md", "ADAPTER"],
  ["docs/writing-a-format.md", "FORMAT"],
])("%s", (file, contract) => {
  const { text: page, blocks } = readPage(file);
  const clauses = clausesOf(contract);

  it("finds the clauses of the contract", () => {
    expect(clauses.length).toBeGreaterThan(8);
  });

  it.each(clauses)("quotes the contract under #$clause", ({ clause, text }) => {
    const [, section = ""] = page.split(`\n### ${clause}\n`);
    const quote = section.trim().split("\n\n")[0] ?? "";
    expect(quote.replace(/^> /gm, "").replaceAll("\n", " ")).toBe(text);
  });

  it("has no two headings with the same anchor", () => {
    const anchors = [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => title.toLowerCase());
    expect(anchors.filter((anchor, index) => anchors.indexOf(anchor) !== index)).toEqual([]);
  });

  it("names every block of TypeScript", () => {
    expect(blocks.size).toBe(page.match(/^```ts$/gm)?.length);
  });

  it.each([...blocks].filter(([name]) => name.includes("/")))("shows %s as it is", (name, code) => {
    expect(read(name)).toContain(code);
    if (name.startsWith("examples/")) expect(code).toBe(read(name));
  });
});
