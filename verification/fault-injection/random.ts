import { createHash } from "node:crypto";

/** Returns a generator of numbers from 0 up to, but not including, 1 that depend on the seed only. */
export function seeded(seed: string): () => number {
  let count = 0;
  return () => createHash("sha256").update(`${seed} ${count++}`).digest().readUInt32BE() / 2 ** 32;
}

/** Draws a whole number from `least` to `most`, both included. */
export const between = (random: () => number, least: number, most: number): number =>
  least + Math.floor(random() * (most - least + 1));
