import type { RoundResult } from "./round.ts";

const HEADER = ["fault point", "rounds", "exchanges", "takeovers", "typed errors", "missed", "violations"];

/** Formats a table with a line per fault point and a line of totals. */
export function table(results: readonly RoundResult[]): string {
  const names = [...new Set(results.map(({ point }) => point.name))].sort();
  const rows = names.map((name) =>
    row(
      name,
      results.filter(({ point }) => point.name === name),
    ),
  );
  const lines = [HEADER, ...rows, row("all", results)];
  const width = Math.max(...lines.map(([name = ""]) => name.length));
  return lines
    .map(([name = "", ...cells]) => [name.padEnd(width), ...cells.map((cell, at) => pad(cell, at))].join("  "))
    .join("\n");
}

const pad = (cell: string, column: number): string => cell.padStart(HEADER[column + 1]?.length ?? 0);

function row(name: string, results: readonly RoundResult[]): string[] {
  const sum = (count: (result: RoundResult) => number) =>
    String(results.reduce((all, result) => all + count(result), 0));
  return [
    name,
    String(results.length),
    sum((result) => result.exchanges),
    sum((result) => result.takeovers),
    sum((result) => result.typedErrors),
    sum((result) => Number(result.isMissed)),
    sum((result) => result.violations.length),
  ];
}
