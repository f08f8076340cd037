import type { Repair } from "./repairs.ts";
import type { ProfileName } from "./scene.ts";

/** What happens to one of those that come after the first. */
export interface SecondFault {
  readonly at: string;
  readonly fault: "kill" | "stop";
  /** How its calls may end. */
  readonly outcomes: readonly string[];
}

/** Where which fault happens, and what may come of it. */
export interface FaultPoint {
  /** Also names it on the command line. */
  readonly name: string;
  readonly at: string;
  readonly fault: string;
  readonly kind: "kill" | "stop" | "lock" | "disk" | "files";
  /** How the calls of the processes without the fault may end. */
  readonly others: readonly string[];
  /** The same of the one with the fault; `gone`: it does not live to tell. */
  readonly victim: readonly string[];
  /** The same of a process that comes later, when what is broken has been repaired. */
  readonly next: readonly string[];
  /** Requests that the token endpoint may see, and grants that it may revoke. */
  readonly exchanges: number;
  readonly revoked: number;
  /** Brings things back in order: lifts the limit, frees the disk, restores rights. */
  readonly repair?: Repair;
  /** Whether the others can only go on once that is done: they wait for the one with the fault, which lives. */
  readonly isRepairedFirst?: boolean;
  /** Another process meets a fault as well: the first one that comes there. */
  readonly second?: SecondFault;
  /** What kind of authorization server; the default is a generic one. */
  readonly profile?: ProfileName;
}

/** Whether the others have to wait for a lease. */
export const hasStop = ({ fault, second }: FaultPoint): boolean => fault === "stop" || second?.fault === "stop";

export type Expected = Pick<FaultPoint, "others" | "victim" | "next" | "exchanges" | "revoked">;

export const OK = ["200"];
export const LOST = ["SIGN_IN_REQUIRED response_lost"];

/** Nothing that cannot be made good: one exchange, everybody goes on. */
export const fine: Expected = { others: OK, victim: OK, next: OK, exchanges: 1, revoked: 0 };

/** The server rotated and nobody can know to what: without grace one more presentation ends the session. */
export const lost: Expected = { others: LOST, victim: LOST, next: LOST, exchanges: 2, revoked: 1 };

/** The same expectations for several points. */
export const points =
  (kind: FaultPoint["kind"], fault: string, expected: Expected & Partial<FaultPoint>) =>
  (...at: readonly string[]): FaultPoint[] =>
    at.map((point) => ({ ...expected, name: nameOf(`${fault}:${point}`, expected), at: point, fault, kind }));

const nameOf = (first: string, { second, profile }: Partial<FaultPoint>): string =>
  `${first}${second ? `+${second.fault}:${second.at}` : ""}${profile ? `@${profile}` : ""}`;

/** Expectations, and what else is particular. */
export type Course = Expected & Partial<FaultPoint>;

export const kill = (course: Course) => points("kill", "kill", { ...course, victim: ["gone"] });
export const stop = (course: Course) => points("stop", "stop", course);

/** Whoever wakes up with tokens of a grant that the server has revoked meanwhile is told so, in one way or another. */
export const REVOKED = [
  "401", // the token is too new for another exchange: the 401 is surfaced
  "SIGN_IN_REQUIRED session_expired",
  "SIGN_IN_REQUIRED revoked",
  "REFRESH_FAILED",
  ...LOST,
];

export const wokenTooLate: Expected = { ...lost, victim: REVOKED, next: REVOKED, exchanges: 3 };
export const sentTooLate: Expected = {
  others: OK,
  victim: [...OK, ...REVOKED],
  next: [...OK, ...REVOKED],
  exchanges: 3,
  revoked: 1,
};
