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

/** The same expectations whichever fault comes second. */
export const courses = (expected: Course, seconds: readonly SecondFault[]): Course[] =>
  seconds.map((second) => ({ ...expected, second }));

/** The first one was killed before it sent anything. */
const UNSENT = [
  ...courses(fine, killed("release/before-link", "release/after-link", "claim/before-link", "claim/after-link")),
  ...courses(fine, killed("exchange/before-send", "commit/after-link")),
  ...courses(lost, killed("exchange/answer-arrived", "commit/before-link")),
  ...courses(fine, [stopped("claim/after-link", OK)]),
  ...courses(wokenTooLate, [stopped("exchange/answer-arrived", REVOKED)]),
];

/** The first one was killed with its answer. */
const ANSWERED = [
  ...courses(lost, killed("release/after-link", "claim/after-link", "verdict/after-link")),
  ...courses({ ...lost, exchanges: 3 }, [...killed("verdict/before-link"), stopped("verdict/before-link", LOST)]),
];

/** Who takes over meets a fault as well. */
export const TAKEOVER_POINTS: readonly FaultPoint[] = [
  ...UNSENT.flatMap((course) => kill(course)("exchange/before-send")),
  ...ANSWERED.flatMap((course) => kill(course)("exchange/answer-arrived")),
  ...courses(sentTooLate, killed("claim/after-link")).flatMap((course) => stop(course)("exchange/before-send")),
];
