/** The prefix of every token in tests, so that a search through all output finds leaked tokens. */
export const CANARY = "canary-";

/** Creates a token that cannot be mistaken for a real one. */
export const canary = (kind: "access" | "refresh" | "id" | "secret", name: number | string): string =>
  `${CANARY}${kind}-${name}`;
