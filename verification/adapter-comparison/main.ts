/** Runs the kit's cases on our adapters and on popular recipes, and prints the cases that each of them fails. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { adapterCases } from "@unexpired/testing";
import { type Result, runAll } from "./run.ts";
import { ourAdapters, recipes, type Subject } from "./subjects.ts";

const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
const PAGE = join(import.meta.dirname, "../../docs/comparison.md");

interface Column extends Subject {
  readonly results: readonly Result[];
}

async function columnsOf(subjects: readonly Subject[]): Promise<readonly Column[]> {
  const columns: Column[] = [];
  for (const subject of subjects) columns.push({ ...subject, results: await runAll(subject.harness) });
  return columns;
}

const count = ({ results }: Column, what: Result["is"]): number => results.filter(({ is }) => is === what).length;

const row = (cells: readonly unknown[]): string => `| ${cells.join(" | ")} |`;
const table = (rows: readonly (readonly unknown[])[]): string => {
  const [head = [], ...body] = rows;
  return [row(head), row(head.map(() => "---")), ...body.map(row)].join("\n");
};

const totals = (columns: readonly Column[]): string =>
  table([
    ["", "passed", "failed", "unsupported"],
    ...columns.map((each) => [each.name, count(each, "passed"), count(each, "failed"), count(each, "unsupported")]),
  ]);

const MARKS = { passed: "yes", failed: "**no**", unsupported: "–" };

/** A table of the cases that at least one column fails. */
const details = (columns: readonly Column[]): string =>
  table([
    ["", ...columns.map(({ short }) => short)],
    ...adapterCases.flatMap(({ name }, index) => {
      const results = columns.flatMap(({ results }) => results[index] ?? []);
      return results.some(({ is }) => is === "failed") ? [[name, ...results.map(({ is }) => MARKS[is])]] : [];
    }),
  ]);

function explain({ name, results }: Column): void {
  console.log(`\n${name}`);
  results.forEach((result, index) => {
    if (result.is !== "passed") console.log(`  ${result.is}: ${adapterCases[index]?.name}\n    ${result.reason}`);
  });
}

const ownColumns = await columnsOf(ourAdapters);
process.on("unhandledRejection", () => {}); // recipes leave some rejections unhandled
const columns = [...ownColumns, ...(await columnsOf(recipes))];
for (const column of columns) explain(column);
const text = [totals(columns), details(columns.slice(ourAdapters.length))].join("\n\n");
console.log(`\n${text}`);

const [before = "", , after = ""] = readFileSync(PAGE, "utf8").split(/<!-- (?:begin|end) -->\n/);
const page = `${before}<!-- begin -->\n\n${text}\n\n<!-- end -->\n${after}`;
/** Removes the alignment of tables, which the formatter adds. */
const unaligned = (text: string) => text.replaceAll(/ *\| */g, "|").replaceAll(/-+/g, "-");
const isSame = unaligned(page) === unaligned(readFileSync(PAGE, "utf8"));
if (values.write) writeFileSync(PAGE, page);
else if (!isSame)
  console.log("\nThe tables in docs/comparison.md are out of date. Run `pnpm compare:adapters --write`.");
const isWrong = columns.slice(0, ourAdapters.length).some((column) => count(column, "failed") > 0);
process.exit(isWrong || (!isSame && !values.write) ? 1 : 0); // clients keep their connections open
