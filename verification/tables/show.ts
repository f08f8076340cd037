/** Runs the rows of a table, prints them, and marks those that show anything but the right value. */
import { CANARY } from "@unexpired-internal/test-support/canary";
import { deferred } from "./deferred.ts";
import { type Group, isRight, type Place, type Row, type Shown } from "./row.ts";
import { type Columns, type Line, printGroup, printOverview } from "./table.ts";

/** A table. */
export interface Table<P extends Place> {
  readonly columns: Columns;
  readonly groups: readonly Group<P>[];
  /** Whether the groups have the same situations: one more table then has a line for each, and a column for each group. */
  readonly hasOverview?: boolean;
  /** Creates the place of one row. */
  createPlace(): Promise<P>;
}

const LIMIT = 60_000; // ms for one row

/** Shows the rows whose situation contains all of `words`. Resolves to the exit code: 1 if a row is wrong. */
export async function show<P extends Place>(table: Table<P>, words: readonly string[]): Promise<number> {
  const all: { readonly title: string; readonly lines: readonly Line[] }[] = [];
  for (const { title, rows } of table.groups) {
    const chosen = rows.filter(({ situation }) => words.every((word) => situation.includes(word)));
    const shown: Line[] = [];
    for (const row of chosen) shown.push(await run(row, table));
    if (shown.length > 0) printGroup(title, table.columns, shown);
    all.push({ title, lines: shown });
  }
  if (table.hasOverview) printOverview(table.columns[0], all);
  const lines = all.flatMap((group) => group.lines);
  const count = (verdict: Line["verdict"]) => lines.filter((line) => line.verdict === verdict).length;
  console.log(`\n${count("right")} rows right, ${count("wrong")} wrong, ${count("not run")} not run`);
  return count("wrong") > 0 ? 1 : 0;
}

async function run<P extends Place>(row: Row<P>, { createPlace }: Table<P>): Promise<Line> {
  const reason = row.unable?.();
  if (reason !== undefined) return { ...row, verdict: "not run", happened: `not run: ${reason}`, saw: "" };
  const began = performance.now();
  const place = await createPlace();
  const shown = await runWithin(row, place);
  await place[Symbol.asyncDispose]();
  const seconds = (performance.now() - began) / 1000;
  const tidied = { happened: place.tidy(shown.happened), saw: place.tidy(shown.saw) };
  const isLeaking = `${tidied.happened} ${tidied.saw}`.includes(CANARY);
  const verdict = isRight(tidied, row.expected) && !isLeaking ? "right" : "wrong";
  return { situation: row.situation, expected: row.expected, ...tidied, verdict, seconds };
}

async function runWithin<P extends Place>(row: Row<P>, place: P): Promise<Shown> {
  const { promise, resolve } = deferred<Shown>();
  const timer = setTimeout(resolve, LIMIT, { happened: place.exchanges, saw: `nothing within ${LIMIT / 1000} s` });
  const failed = (error: unknown): Shown => ({ happened: place.exchanges, saw: `the row failed: ${error}` });
  return Promise.race([row.run(place).catch(failed), promise]).finally(() => clearTimeout(timer));
}
