import type { Mode } from "./options.ts";

/** The HTTP clients, which are assigned to the processes in turn. */
export const CLIENTS = ["axios", "ofetch", "got"] as const;
export type ClientName = (typeof CLIENTS)[number];

/** The configuration of a process. It contains no token: those are only in the session file. */
export interface WorkerConfig {
  readonly mode: Mode;
  readonly client: ClientName;
  readonly apiOrigin: string;
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly sessionPath: string;
  /** The time between two requests in milliseconds. */
  readonly interval: number;
}

export type Status = "starting" | "valid" | "near-expiry" | "refreshing" | "dead";

/** The current state of a process. */
export interface Report {
  readonly status: Status;
  /** The number of finished requests, failed ones included. */
  readonly requests: number;
  readonly failed: number;
  /** The number of exchanges that this process started. */
  readonly exchanges: number;
}

/** An order of the demo to a process. `die` means by SIGKILL, while no token exchange is in flight. */
export type Order = "go" | "die" | "stop";

/** A message of a process to the demo. */
export type Message =
  | { readonly type: "ready" }
  | { readonly type: "report"; readonly report: Report }
  | { readonly type: "failure"; readonly text: string };
