/** Tokens that nobody can mistake for real ones, and that a search through all output finds. */
export const canary = (kind: "access" | "refresh" | "id", number: number | string): string =>
  `canary-${kind}-${number}`;
