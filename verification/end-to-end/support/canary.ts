/** Every token of the tests has this in it, so that a search through all that was printed finds it. */
export const CANARY = "canary-";

/** A token that nobody can mistake for a real one. */
export const canary = (kind: "access" | "refresh" | "id", name: number | string): string => `${CANARY}${kind}-${name}`;
