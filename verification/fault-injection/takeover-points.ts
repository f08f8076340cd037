import {
  type FaultPoint,
  fine,
  HELD,
  held,
  kill,
  LOST,
  lost,
  OK,
  type PointProperties,
  type SecondFault,
} from "./expectations.ts";

export const killed = (...steps: readonly string[]): SecondFault[] =>
  steps.map((at) => ({ at, fault: "kill", outcomes: ["gone"] }));
const stopped = (at: string, outcomes: readonly string[]): SecondFault => ({ at, fault: "stop", outcomes });

/** Combines the same expectations with each of the second faults. */
export const withSecondFaults = (expected: PointProperties, seconds: readonly SecondFault[]): PointProperties[] =>
  seconds.map((second) => ({ ...expected, second }));

/** Second faults after the first process was killed before it sent its request. */
const UNSENT = [
  ...withSecondFaults(
    fine,
    killed("release/before-link", "release/after-link", "claim/before-link", "claim/after-link"),
  ),
  ...withSecondFaults(fine, killed("exchange/before-send", "commit/after-link")),
  ...withSecondFaults(lost, killed("exchange/response-arrived", "commit/before-link")),
  ...withSecondFaults(held, [stopped("claim/after-link", OK), stopped("exchange/response-arrived", OK)]),
];

/** Second faults after the first process was killed with its response. */
const RESPONDED = [
  ...withSecondFaults(lost, killed("release/after-link", "claim/after-link", "verdict/after-link")),
  ...withSecondFaults({ ...lost, exchanges: 3 }, killed("verdict/before-link")),
  ...withSecondFaults({ ...lost, others: [...HELD, ...LOST] }, [stopped("verdict/before-link", LOST)]),
];

/** Fault points with a second fault in the process that takes over. */
export const TAKEOVER_POINTS: readonly FaultPoint[] = [
  ...UNSENT.flatMap((properties) => kill(properties)("exchange/before-send")),
  ...RESPONDED.flatMap((properties) => kill(properties)("exchange/response-arrived")),
];
