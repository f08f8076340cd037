import type { Status } from "./messages.ts";

/** Makes the requests of a process, through Unexpired or hand-written code. */
export interface Caller {
  /** Makes one request to the API. Rejects if it fails. */
  call(): Promise<unknown>;
  readonly status: Status;
  /** The number of exchanges started so far. */
  readonly exchanges: number;
  /** Whether no exchange is in flight or about to start by itself. */
  readonly idle: boolean;
  close(): Promise<void>;
}
