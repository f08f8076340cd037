/**
 * Checks the English of docs, comments, test names and messages (docs/contributing/language.md).
 *
 * `node scripts/check-language.ts [path-fragment…] [--root DIR]`: with fragments, checks only the files whose path
 * contains one of them, and lists each `where` if there are too many.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Passage } from "./language/passage.ts";
import { passagesOf } from "./language/passages.ts";
import { type Finding, insteadOf, tellsIn } from "./language/tells.ts";
import { root as here, run } from "./workspace.ts";

/** The highest rate of `where` per 1,000 words of comments and docs. */
const WHERE_LIMIT = 2;

interface Checked {
  readonly area: string;
  readonly words: number;
  /** The occurrences of `where` in comments and docs, as lines to print. */
  readonly where: readonly string[];
  /** The tells, as lines to print. */
  readonly problems: readonly string[];
  readonly tells: readonly string[];
}

/** Checks one file; `file` is its path in the repository. */
export function checkFile(file: string, text: string): Checked {
  const passages = passagesOf(file, text);
  const found = passages.flatMap(tellsIn);
  const counted = passages.filter(({ kind }) => kind !== "test name" && kind !== "message");
  const where = counted.flatMap((passage) => offsetsOf(passage, /\bwhere\b/gi));
  return {
    area: areaOf(file),
    words: counted.flatMap((passage) => offsetsOf(passage, /\p{L}[\p{L}’'-]*/gu)).length,
    where: where.map((offset) => report(file, text, { tell: "where", offset })),
    problems: found.map((finding) => report(file, text, finding)),
    tells: found.map(({ tell }) => tell),
  };
}

const offsetsOf = ({ start, text }: Passage, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(({ index }) => start + index);

/** `packages/core` of `packages/core/src/clock.ts`, and `(root)` of `README.md`. */
function areaOf(file: string): string {
  const [first = "", second = "", third] = file.split("/");
  if (second === "") return "(root)";
  return third !== undefined && /^(packages|verification)$/.test(first) ? `${first}/${second}` : first;
}

function report(file: string, text: string, { tell, offset }: Finding): string {
  const line = text.slice(0, offset).split("\n").length;
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const whole = text.slice(start).split("\n", 1)[0] ?? "";
  const from = whole.length > 140 ? Math.max(0, offset - start - 60) : 0;
  const excerpt = `${from > 0 ? "…" : ""}${whole.slice(from, from + 140).trim()}${from + 140 < whole.length ? "…" : ""}`;
  return `${file}:${line}: ${tell}: ${excerpt}`;
}

const rateOf = (checked: readonly Checked[]) => {
  const words = checked.reduce((sum, file) => sum + file.words, 0);
  const where = checked.reduce((sum, file) => sum + file.where.length, 0);
  return { words, where, rate: words === 0 ? 0 : (where * 1000) / words };
};

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): [key: string, items: T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups];
}

/** One row per area, and one for all. */
export function tableOf(checked: readonly Checked[]): string {
  const areas = grouped(checked, ({ area }) => area).sort(([a], [b]) => a.localeCompare(b));
  const rows = [...areas, ["all", checked] as const].map(([area, files]) => {
    const { words, rate } = rateOf(files);
    return [area, String(words), rate.toFixed(1), String(files.flatMap(({ tells }) => tells).length)];
  });
  const head = ["area", "words", '"where" per 1,000', "tells"];
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0), title.length),
  );
  return [head, ...rows]
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
    )
    .join("\n");
}

/** The problems of the files that were checked, as lines to print. */
export function problemsOf(checked: readonly Checked[], listWhere: boolean): string[] {
  const { where, words, rate } = rateOf(checked);
  const counts = grouped(
    checked.flatMap(({ tells }) => tells),
    (tell) => tell,
  );
  return [
    ...checked.flatMap(({ problems }) => problems),
    ...(listWhere && rate > WHERE_LIMIT ? checked.flatMap((file) => file.where) : []),
    ...counts.map(([tell, found]) => `${tell} (${found.length}): ${insteadOf(tell)}`),
    ...(rate > WHERE_LIMIT
      ? [`"where" (${where} in ${words} words of comments and docs): write "if" for a condition, "when" for an event`]
      : []),
  ];
}

function main(): void {
  const options = { root: { type: "string", default: here } } as const;
  const { values, positionals: fragments } = parseArgs({ options, allowPositionals: true });
  const root = resolve(values.root);
  const files = run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"], {
    cwd: root,
  })
    .split("\0")
    .filter((file) => file !== "" && (fragments.length === 0 || fragments.some((fragment) => file.includes(fragment))))
    .filter((file) => existsSync(join(root, file)));
  const checked = files.map((file) => checkFile(file, readFileSync(join(root, file), "utf8")));
  const problems = problemsOf(checked, fragments.length > 0);
  for (const problem of problems) console.error(problem);
  console.log(tableOf(checked));
  if (problems.length > 0) process.exitCode = 1;
  else console.log("language: ok");
}

if (import.meta.main) main();
