import type { DocumentKind } from "./foreign.ts";
import type { Repair } from "./repairs.ts";
import type { ProfileName } from "./scene.ts";

/** A fault of one of the processes that come after the first. */
export interface SecondFault {
  readonly at: string;
  readonly fault: "kill" | "stop";
  /** The outcomes that its calls may have. */
  readonly outcomes: readonly string[];
}

/** A fault, the point at which it occurs, and the outcomes that are allowed. */
export interface FaultPoint {
  /** The name, also used on the command line. */
  readonly name: string;
  readonly at: string;
  readonly fault: string;
  readonly kind: "kill" | "stop" | "lock" | "disk" | "files";
  /** The outcomes that calls of the processes without the fault may have. */
  readonly others: readonly string[];
  /** The same for the process with the fault; `gone` if it does not survive. */
  readonly victim: readonly string[];
  /** The same for a process that starts later, after the repair. */
  readonly next: readonly string[];
  /** The maximum number of requests to the token endpoint. */
  readonly exchanges: number;
  /** The maximum number of grants that the server revokes. */
  readonly revoked: number;
  /** The repair: lifts the limit, frees the disk, restores permissions. */
  readonly repair?: Repair;
  /** Whether the others can go on only after the repair, because they wait for the process with the fault. */
  readonly isRepairedFirst?: boolean;
  /** A fault of a second process: the first one that reaches that point. */
  readonly second?: SecondFault;
  /**
   * The result if the process with the fault closes its manager after its call, and ends: its new tokens are saved, or the
   * disk stays full for too long.
   */
  readonly closes?: "saved" | "lost";
  /**
   * The maximum number of prompts before the next process, in a round that begins without a session: all processes call
   * `signInWith` at once. Default: the round begins with an expired session.
   */
  readonly prompts?: number;
  /** Whether the user refuses at each of these prompts, as soon as all other processes wait for it. */
  readonly isRefused?: boolean;
  /** The kind of authorization server. Default: `generic`. */
  readonly profile?: ProfileName;
  /** The kind of another program's document that the session is in. Default: a session file. */
  readonly document?: DocumentKind;
}

/** Whether the others have to wait for a lease. */
export const hasStop = ({ fault, second }: FaultPoint): boolean => fault.startsWith("stop") || second?.fault === "stop";

export type Expected = Pick<FaultPoint, "others" | "victim" | "next" | "exchanges" | "revoked">;

export const OK = ["200"];
export const LOST = ["SIGN_IN_REQUIRED response_lost"];

/** A fault that the processes recover from: one exchange, and every process goes on. */
export const fine: Expected = { others: OK, victim: OK, next: OK, exchanges: 1, revoked: 0 };

/** The server rotated and the response is lost: without a grace period, presenting the token again ends the session. */
export const lost: Expected = { others: LOST, victim: LOST, next: LOST, exchanges: 2, revoked: 1 };

/** The same expectations for several points. */
export const points =
  (kind: FaultPoint["kind"], fault: string, expected: Expected & Partial<FaultPoint>) =>
  (...at: readonly string[]): FaultPoint[] =>
    at.map((point) => ({ ...expected, name: nameOf(`${fault}:${point}`, expected), at: point, fault, kind }));

const nameOf = (first: string, { second, closes, profile, document }: Partial<FaultPoint>): string =>
  [
    first,
    second && `+${second.fault}:${second.at}`,
    closes && `+close:${closes}`,
    profile && `@${profile}`,
    document && `@${document}`,
  ].join("");

/** The expectations, and other properties of a fault point. */
export type PointProperties = Expected & Partial<FaultPoint>;

export const kill = (properties: PointProperties) => points("kill", "kill", { ...properties, victim: ["gone"] });
export const stop = (properties: PointProperties) => points("stop", "stop", properties);

/** The outcomes of processes that may find a claim of one that is stopped: they get an error that names it. */
export const HELD = [...OK, "REFRESH_FAILED"];

/** A process that is stopped with its claim: it keeps that, and finishes when it goes on. */
export const held: Expected = { ...fine, others: HELD };

/** A process that is stopped past the lease of its claim: the others get the error before it goes on. */
export const heldPastLease: Expected = { ...fine, others: ["REFRESH_FAILED"] };

/** The same as {@link held}, but its exchange's deadline passes before it reads the response: the response is lost. */
export const heldTooLong: Expected = {
  others: HELD,
  victim: [...HELD, ...LOST],
  next: [...OK, ...LOST],
  exchanges: 2,
  revoked: 1,
};
