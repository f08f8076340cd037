import { abortable } from "./abortable.ts";
import { systemClock } from "./clock.ts";
import { withDeadline } from "./deadline.ts";

const MILLISECONDS = 30_000;

interface Waiting {
  readonly signal: AbortSignal | null | undefined;
  /** The message of the `TimeoutError`. */
  readonly message: string;
}

/** Waits for a decision of foreign code, which may never settle: at most 30 seconds. */
export const settleInTime = (
  decision: boolean | Promise<boolean>,
  { signal, message }: Waiting,
): boolean | Promise<boolean> =>
  typeof decision === "object"
    ? abortable(
        withDeadline(() => decision, systemClock, { milliseconds: MILLISECONDS, message }),
        signal,
      )
    : decision;
