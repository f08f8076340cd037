import type { MemoryReport } from "./memory.ts";
import type { RunReport } from "./run.ts";

/** The figures of an engine. */
export interface Figures {
  readonly run: RunReport;
  readonly memory: MemoryReport;
}

const MOST_LIVE = 4_096; // bytes
const MOST_IDLE = 1_024; // bytes
/** One for all sessions, and those of the connections of the clients. */
const MOST_TIMERS = 50;

/** Returns the promises that the figures break. No promise is about time. */
export function brokenPromises({ run, memory }: Figures): string[] {
  const broken: readonly (readonly [boolean, string])[] = [
    [run.requests === 0, "no request was sent"],
    [run.exchanges === 0, "no token was refreshed"],
    [failuresOf(run) > 0, `${failuresOf(run)} requests failed`],
    [run.extra > 0, `${run.extra} exchanges more than one for each user and expiry`],
    [run.replays > 0, `${run.replays} refresh tokens were presented twice`],
    [run.revoked > 0, `${run.revoked} grants were revoked`],
    [memory.live > MOST_LIVE, `a live session takes ${memory.live.toFixed()} bytes, more than ${MOST_LIVE}`],
    [memory.idle > MOST_IDLE, `an idle session takes ${memory.idle.toFixed()} bytes, more than ${MOST_IDLE}`],
    [memory.timers > MOST_TIMERS, `${memory.timers} timers, more than ${MOST_TIMERS}`],
  ];
  return broken.filter(([isBroken]) => isBroken).map(([, text]) => text);
}

/** The number of requests that failed. */
export const failuresOf = ({ failures }: RunReport): number =>
  Object.values(failures).reduce((sum, count) => sum + count, 0);
