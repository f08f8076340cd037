import { type Figures, failuresOf } from "./promises.ts";
import type { RunReport } from "./run.ts";

type Line = readonly [figure: string, values: readonly string[], promised?: string];

/** Returns the table of an engine. `byHand` are the figures of the same server with a lock that was written by hand. */
export function tableOf({ run, memory }: Figures, byHand?: RunReport): string {
  const runs = byHand ? [run, byHand] : [run];
  const each = (show: (report: RunReport) => string | number) => runs.map((report) => String(show(report)));
  const lines: Line[] = [
    ["requests", each(({ requests, rate }) => `${requests} (${rate.toFixed()} in a second)`)],
    ["failures", each(failuresOf), "0"],
    ...(run.restart ? restartLines(each) : []),
    ["exchanges", each(({ exchanges }) => exchanges)],
    ["due: one for each user and expiry", each(({ expected }) => expected)],
    ["more than were due for a user", each(({ extra }) => extra), "0"],
    ["refresh tokens presented twice", each(({ replays }) => replays), "0"],
    ["grants revoked", each(({ revoked }) => revoked), "0"],
    ["median of the responses", each(({ median }) => `${median.toFixed()} ms`)],
    ["slowest of 100 responses", each(({ slowest }) => `${slowest.toFixed()} ms`)],
    ["processor time for each request", each(({ cpu }) => `${cpu.toFixed()} µs`)],
    ...(byHand ? ([["the same, by comparison", [(run.cpu / byHand.cpu).toFixed(2), "1"]]] as const) : []),
    ["heap of a live session, without tokens", [bytes(memory.live)], "≤ 4 kB"],
    ["heap of an idle session", [bytes(memory.idle)], "≤ 1 kB"],
    ["timers with all sessions in memory", [String(memory.timers)], "one, and the clients' own"],
  ];
  const titles = ["", "Unexpired", ...(byHand ? ["a lock by hand"] : []), "promised"];
  const rows = lines.map(([figure, values, promised = ""]) => {
    const missing = Array.from({ length: runs.length - values.length }, () => "");
    return [figure, ...values, ...missing, promised];
  });
  return format([titles, ...rows]);
}

const restartLines = (each: (show: (report: RunReport) => number) => string[]): Line[] => [
  ["requests to the killed process", each(({ interrupted }) => interrupted), "not counted"],
  ["responses that died with it, repeated", each(({ repeated }) => repeated), "within the grace period"],
];

const bytes = (count: number): string => `${count.toFixed()} bytes`;

function format(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return lines.join("\n");
}
