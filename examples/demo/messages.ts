import type { Mode } from "./options.ts";

/** The HTTP clients that the processes take in turn. */
export const CLIENTS = ["axios", "ofetch", "got"] as const;
export type ClientName = (typeof CLIENTS)[number];

/** What a process is started with. Holds no token: those are in the session file only. */
export interface WorkerConfig {
  readonly mode: Mode;
  readonly client: ClientName;
  readonly apiOrigin: string;
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly sessionPath: string;
  /** Milliseconds from one request to the next. */
  readonly interval: number;
}

export type Status = "starting" | "valid" | "near-expiry" | "refreshing" | "dead";

/** How a process is doing. */
export interface Report {
  readonly status: Status;
  /** Requests that ended, well or not. */
  readonly requests: number;
  readonly failed: number;
  /** Exchanges that this process started. */
  readonly exchanges: number;
}

/** From the demo to a process. `die`: by SIGKILL, at a moment without a token exchange. */
export type Order = "go" | "die" | "stop";

/** From a process to the demo. */
export type Message =
  | { readonly type: "ready" }
  | { readonly type: "report"; readonly report: Report }
  | { readonly type: "failure"; readonly text: string };
