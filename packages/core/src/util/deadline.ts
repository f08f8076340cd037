import type { Clock } from "../types.ts";

/** The default deadline of an exchange, and of a revocation, in milliseconds. */
export const DEFAULT_TIMEOUT = 30_000;

/** A deadline in milliseconds, and the message of the error once it has passed. */
interface Deadline {
  readonly milliseconds: number;
  readonly message: string;
}

/** Settles like the result of `run`, or rejects at the deadline. Until then it keeps the process alive. */
export function withDeadline<T>(run: () => Promise<T>, clock: Clock, { milliseconds, message }: Deadline): Promise<T> {
  return new Promise((resolve, reject) => {
    const onDeadline = () => reject(new DOMException(message, "TimeoutError"));
    const cancel = clock.setTimer(onDeadline, milliseconds, true);
    void (async () => run())().then(resolve, reject).finally(cancel);
  });
}
