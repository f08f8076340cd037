/** A task that a child process runs on the store under test, and the messages that it sends. */
export type Task =
  /** Increments the stored number `times` times, or for {@link INCREMENT_TIME}, then sends how often it did. */
  | { readonly do: "increment"; readonly times: number }
  /** Sends "ready". After the first message to it, saves one long value after another and sends the number of each. */
  | { readonly do: "save-forever" }
  /** Saves one value, then sends "saved". */
  | { readonly do: "save"; readonly value: string }
  /** Sends its holder id, or `null` if it has none, and runs until it is killed. */
  | { readonly do: "hold" }
  /** Does the same in a worker thread. After a message to it, terminates the thread and sends "terminated". */
  | { readonly do: "hold-in-thread" }
  /** Loads and watches, sends "idle", disposes the store, and exits when its event loop is empty. */
  | { readonly do: "idle" }
  /** Runs a token manager. For each number that it receives, moves its clock there and sends its access token. */
  | { readonly do: "session"; readonly tokenEndpoint: string };

/** A slow store increments fewer times, so that the test ends. */
export const INCREMENT_TIME = 20_000; // ms

const DIGITS = 20_000;

/** Returns a long value from which {@link numberOf} can tell whether it is complete. */
export const longValue = (number: number): string => `${number}:${String(number % 10).repeat(DIGITS)}`;

/** Returns the number of a {@link longValue}, or `undefined` if the value is not complete. */
export const numberOf = (value: string): number | undefined => {
  const number = Number.parseInt(value, 10);
  return value === longValue(number) ? number : undefined;
};
