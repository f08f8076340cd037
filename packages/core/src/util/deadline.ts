import type { Clock } from "../types.ts";

/** The default deadline of an exchange, and of a revocation, in milliseconds. */
export const DEFAULT_TIMEOUT = 30_000;

interface Ticking {
  readonly milliseconds: number;
  /** Whether the process is kept alive until then. Default: `true`. */
  readonly keepAlive?: boolean;
}

/** A deadline in milliseconds, and the message of the error once it has passed. */
interface Deadline extends Ticking {
  readonly message: string;
}

/** Settles like the result of `run`, or rejects at the deadline. */
export function withDeadline<T>(run: () => Promise<T>, clock: Clock, deadline: Deadline): Promise<T> {
  return new Promise((resolve, reject) => {
    const onDeadline = () => reject(new DOMException(deadline.message, "TimeoutError"));
    const cancel = onPunctualTick(onDeadline, clock, deadline);
    void (async () => run())().then(resolve, reject).finally(cancel);
  });
}

const LATE = 100;
const EXTRA_TIME = 1_000;
const MAX_EXTRA_TICKS = 10; // the event loop may be late all the time

/**
 * Calls `run` after that many milliseconds. A timer that fires late, because the event loop was blocked or the process
 * stopped, starts one more second: timers run before I/O, and a response may be waiting in the socket. The last 100 ms
 * are a timer of their own, because a timer can fire on time and still end a long pause. Returns a function that cancels
 * it.
 */
export function onPunctualTick(run: () => void, clock: Clock, { milliseconds, keepAlive = true }: Ticking): () => void {
  const last = Math.min(LATE, milliseconds);
  let cancel = () => {};
  let extraTicks = 0;
  const wait = (delay: number, next: () => void) => {
    const due = clock.monotonic() + delay;
    const isLate = () => clock.monotonic() - due > LATE && extraTicks++ < MAX_EXTRA_TICKS;
    const onTick = () => (isLate() ? start(EXTRA_TIME) : next());
    cancel = clock.setTimer(onTick, delay, keepAlive);
  };
  const start = (delay: number) => wait(delay - last, () => wait(last, run));
  start(milliseconds);
  return () => cancel();
}
