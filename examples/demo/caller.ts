import type { Status } from "./messages.ts";

/** What a process makes its requests with: Unexpired or the code written by hand. */
export interface Caller {
  /** One request to the API; rejects where it failed. */
  call(): Promise<unknown>;
  readonly status: Status;
  /** Exchanges started so far. */
  readonly exchanges: number;
  /** Whether no exchange is in flight, and none is about to start by itself. */
  readonly idle: boolean;
  close(): Promise<void>;
}
