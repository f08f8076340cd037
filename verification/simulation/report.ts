import type { Totals } from "./campaign.ts";
import type { RunResult } from "./run.ts";

/** Formats a schedule: repeated lines are printed once. */
function readable(trace: readonly string[]): string {
  const lines: string[] = [];
  for (let index = 0; index < trace.length; ) {
    const period = periodAt(trace, index);
    const times = period === 0 ? 1 : repetitions(trace, index, period);
    const length = Math.max(1, period);
    lines.push(...trace.slice(index, index + length));
    if (times > 1) lines.push(`            ... ${times - 1} more times`);
    index += length * times;
  }
  return lines.join("\n");
}

const LONGEST_PERIOD = 12;

/** Returns a line without its time and its delays, which differ between repetitions. */
const withoutTimes = (line: string | undefined): string | undefined => line?.slice(10).replace(/\d+ ms/, "");

function periodAt(trace: readonly string[], index: number): number {
  for (let period = 1; period <= LONGEST_PERIOD; period++) {
    if (repetitions(trace, index, period) >= 3) return period;
  }
  return 0;
}

function repetitions(trace: readonly string[], index: number, period: number): number {
  let times = 1;
  const isSame = (offset: number) =>
    withoutTimes(trace[index + offset]) === withoutTimes(trace[index + times * period + offset]);
  const all = Array.from({ length: period }, (_, offset) => offset);
  while (index + (times + 1) * period <= trace.length && all.every(isSame)) times++;
  return times;
}

/** Prints the totals of a campaign. */
export function printTotals({ runs, steps, exchanges, replays, injected, states }: Totals, milliseconds: number): void {
  console.log(`${runs} runs, ${steps} steps, ${exchanges} exchanges in ${(milliseconds / 1000).toFixed(1)} s`);
  console.log(`${states.length} states of the record and the managers were covered`);
  console.log(`replays after a failover: ${replays}`);
  const kinds = Object.entries(injected).sort(([, a], [, b]) => b - a);
  console.log(`${kinds.reduce((sum, [, count]) => sum + count, 0)} faults of ${kinds.length} kinds:`);
  for (const [kind, count] of kinds) console.log(`  ${String(count).padStart(7)}  ${kind}`);
}

/** Prints a violated invariant and the schedule that violates it. */
export function printFailure({ seed, violation, trace, steps }: RunResult): void {
  console.log(`\nVIOLATED ${violation?.invariant}: ${violation?.text}`);
  console.log(`The shortest schedule found has ${steps} steps (seconds, process, event; ! marks a fault):\n`);
  console.log(readable(trace));
  console.log(`\nTo run it again: pnpm simulate --seed ${seed} --replay`);
}
