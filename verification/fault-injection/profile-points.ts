import { type Course, type FaultPoint, fine, kill, LOST, OK, stop } from "./expectations.ts";
import { courses, killed } from "./takeover-points.ts";

/** The server answers a replay with the same tokens, for a while: nothing is lost. */
const grace: Course = { ...fine, exchanges: 2, profile: "grace" };

/** What may have been sent is never sent again: the session ends, and nothing is revoked. */
const ended: Course = { ...fine, others: LOST, next: LOST, profile: "sign-in" };

const twice = courses({ ...grace, exchanges: 3 }, killed("exchange/answer-arrived", "commit/before-link"));
const noted = courses(ended, killed("release/after-link", "verdict/before-link", "verdict/after-link"));

/** Authorization servers that differ from the generic one, and what the processes know of them. */
export const PROFILE_POINTS: readonly FaultPoint[] = [
  ...kill(grace)("exchange/request-written", "exchange/answer-arrived", "commit/before-link"),
  ...stop(grace)("exchange/before-send", "exchange/answer-arrived", "commit/before-link"),
  ...twice.flatMap((course) => kill(course)("exchange/answer-arrived")),
  ...kill({ ...fine, profile: "sign-in" })("claim/before-link", "commit/after-link"),
  ...kill({ ...ended, exchanges: 0 })("claim/after-link", "exchange/before-send"),
  ...kill(ended)("exchange/request-written", "exchange/answer-arrived", "commit/before-link"),
  ...noted.flatMap((course) => kill(course)("exchange/answer-arrived")),
  // It still holds the answer when it wakes, and writes it over the verdict.
  ...stop({ ...ended, victim: OK, next: OK })("exchange/answer-arrived", "commit/before-link"),
];
