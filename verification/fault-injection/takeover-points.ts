import {
  type Course,
  type FaultPoint,
  fine,
  kill,
  LOST,
  lost,
  OK,
  REVOKED,
  type SecondFault,
  sentTooLate,
  stop,
  wokenTooLate,
} from "./expectations.ts";

export const killed = (...steps: readonly string[]): SecondFault[] =>
  steps.map((at) => ({ at, fault: "kill", outcomes: ["gone"] }));
const stopped = (at: string, outcomes: readonly string[]): SecondFault => ({ at, fault: "stop", outcomes });

/** Combines the same expectations with each of the second faults. */
export const courses = (expected: Course, seconds: readonly SecondFault[]): Course[] =>
  seconds.map((second) => ({ ...expected, second }));

/** Second faults after the first process was killed before it sent its request. */
const UNSENT = [
  ...courses(fine, killed("release/before-link", "release/after-link", "claim/before-link", "claim/after-link")),
  ...courses(fine, killed("exchange/before-send", "commit/after-link")),
  ...courses(lost, killed("exchange/response-arrived", "commit/before-link")),
  ...courses(fine, [stopped("claim/after-link", OK)]),
  ...courses(wokenTooLate, [stopped("exchange/response-arrived", REVOKED)]),
];

/** Second faults after the first process was killed with its response. */
const RESPONDED = [
  ...courses(lost, killed("release/after-link", "claim/after-link", "verdict/after-link")),
  ...courses({ ...lost, exchanges: 3 }, [...killed("verdict/before-link"), stopped("verdict/before-link", LOST)]),
];

/** Fault points with a second fault in the process that takes over. */
export const TAKEOVER_POINTS: readonly FaultPoint[] = [
  ...UNSENT.flatMap((course) => kill(course)("exchange/before-send")),
  ...RESPONDED.flatMap((course) => kill(course)("exchange/response-arrived")),
  ...courses(sentTooLate, killed("claim/after-link")).flatMap((course) => stop(course)("exchange/before-send")),
];
