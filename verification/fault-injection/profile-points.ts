import { type FaultPoint, fine, HELD, held, kill, LOST, type PointProperties, stop } from "./expectations.ts";
import { killed, withSecondFaults } from "./takeover-points.ts";

/** The server responds to a replay with the same tokens for a while: nothing is lost. */
const grace: PointProperties = { ...fine, exchanges: 2, profile: "grace" };

/** A token that may have been sent is never presented again: the session ends, and no grant is revoked. */
const ended: PointProperties = { ...fine, others: LOST, next: LOST, profile: "sign-in" };

const twice = withSecondFaults({ ...grace, exchanges: 3 }, killed("exchange/response-arrived", "commit/before-link"));
const noted = withSecondFaults(ended, killed("release/after-link", "verdict/before-link", "verdict/after-link"));

/** Fault points with authorization servers that differ from the generic one, and whose profile the processes know. */
export const PROFILE_POINTS: readonly FaultPoint[] = [
  ...kill(grace)("exchange/request-written", "exchange/response-arrived", "commit/before-link"),
  ...stop({ ...grace, others: HELD })("exchange/before-send", "exchange/response-arrived", "commit/before-link"),
  ...twice.flatMap((properties) => kill(properties)("exchange/response-arrived")),
  ...kill({ ...fine, profile: "sign-in" })("claim/before-link", "commit/after-link"),
  ...kill({ ...ended, exchanges: 0 })("claim/after-link", "exchange/before-send"),
  ...kill(ended)("exchange/request-written", "exchange/response-arrived", "commit/before-link"),
  ...noted.flatMap((properties) => kill(properties)("exchange/response-arrived")),
  ...stop({ ...held, profile: "sign-in" })("exchange/response-arrived", "commit/before-link"),
];
