import { type Course, type FaultPoint, fine, kill, LOST, OK, stop } from "./expectations.ts";
import { courses, killed } from "./takeover-points.ts";

/** The server responds to a replay with the same tokens for a while: nothing is lost. */
const grace: Course = { ...fine, exchanges: 2, profile: "grace" };

/** A token that may have been sent is never presented again: the session ends, and no grant is revoked. */
const ended: Course = { ...fine, others: LOST, next: LOST, profile: "sign-in" };

const twice = courses({ ...grace, exchanges: 3 }, killed("exchange/response-arrived", "commit/before-link"));
const noted = courses(ended, killed("release/after-link", "verdict/before-link", "verdict/after-link"));

/** Fault points with authorization servers that differ from the generic one, and whose profile the processes know. */
export const PROFILE_POINTS: readonly FaultPoint[] = [
  ...kill(grace)("exchange/request-written", "exchange/response-arrived", "commit/before-link"),
  ...stop(grace)("exchange/before-send", "exchange/response-arrived", "commit/before-link"),
  ...twice.flatMap((course) => kill(course)("exchange/response-arrived")),
  ...kill({ ...fine, profile: "sign-in" })("claim/before-link", "commit/after-link"),
  ...kill({ ...ended, exchanges: 0 })("claim/after-link", "exchange/before-send"),
  ...kill(ended)("exchange/request-written", "exchange/response-arrived", "commit/before-link"),
  ...noted.flatMap((course) => kill(course)("exchange/response-arrived")),
  // When the process wakes, it still has the response, and its commit replaces the verdict.
  ...stop({ ...ended, victim: OK, next: OK })("exchange/response-arrived", "commit/before-link"),
];
