/** What a process of the kit can be told to do with the author's store, and what it tells then. */
export type Task =
  /** Adds one to the stored number, `times` times, and tells so. */
  | { readonly do: "increment"; readonly times: number }
  /** Tells that it is ready. Once it is told something, saves one long value after the other, and tells each number. */
  | { readonly do: "save for ever" }
  /** Saves one value, and tells so. */
  | { readonly do: "save"; readonly value: string }
  /** Tells who it is, and lives until it is killed. */
  | { readonly do: "hold" }
  /** Loads and watches, closes what can be closed, and waits for Node to find nothing left to do. */
  | { readonly do: "idle" }
  /** Keeps a session: for each number that it is sent it moves its clock there and tells its access token. */
  | { readonly do: "session"; readonly tokenEndpoint: string };

const DIGITS = 20_000;

/** A long value that tells whether it is whole. */
export const longValue = (number: number): string => `${number}:${String(number % 10).repeat(DIGITS)}`;

/** The number of a {@link longValue}; `undefined` where it is not whole. */
export const numberOf = (value: string): number | undefined => {
  const number = Number.parseInt(value, 10);
  return value === longValue(number) ? number : undefined;
};
