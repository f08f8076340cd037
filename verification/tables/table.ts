import type { Expected, Shown } from "./row.ts";

/** A row that was run, or the reason why it was not. */
export interface Line extends Shown {
  readonly situation: string;
  readonly expected: Expected;
  readonly verdict: "right" | "wrong" | "not run";
  readonly seconds?: number;
}

/** The titles of the columns. */
export type Columns = readonly [situation: string, happened: string, saw: string];

const MARKS = { right: "", wrong: "**wrong** ", "not run": "" };
const LONGEST = 400;

/** Prints one group of rows as a table, and below it what each wrong row should have shown. */
export function printGroup(title: string, columns: Columns, lines: readonly Line[]): void {
  console.log(`\n${title}\n`);
  const cells = lines.map(({ situation, verdict, happened, saw }) => [
    situation,
    `${MARKS[verdict]}${shorten(happened)}`,
    shorten(saw),
  ]);
  printTable(columns, cells);
  for (const { situation, expected } of lines.filter(({ verdict }) => verdict === "wrong"))
    console.log(`\nwrong: ${situation}\n  expected: ${expected.happened}; ${expected.saw}`);
  const slow = lines.filter(({ seconds = 0 }) => seconds > 10);
  for (const { situation, seconds } of slow) console.log(`\nslow (${seconds?.toFixed(0)} s): ${situation}`);
}

/** Prints a table of all groups: a line for each situation, and a column for each group, with the time if the row has one. */
export function printOverview(
  column: string,
  groups: readonly { readonly title: string; readonly lines: readonly Line[] }[],
): void {
  console.log("\nOverview\n");
  const situations = new Set(groups.flatMap(({ lines }) => lines.map(({ situation }) => situation)));
  const cellOf = (line: Line | undefined) => {
    if (line?.verdict !== "right") return line?.verdict ?? "";
    return /\d+ ms/.exec(line.saw)?.[0] ?? "yes";
  };
  const cells = [...situations].map((situation) => [
    situation,
    ...groups.map(({ lines }) => cellOf(lines.find((line) => line.situation === situation))),
  ]);
  printTable([column, ...groups.map(({ title }) => title)], cells);
}

function printTable(titles: readonly string[], rows: readonly (readonly string[])[]): void {
  const table = [titles, titles.map(() => "---"), ...rows];
  for (const row of table) console.log(`| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`);
}

const shorten = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
