import { expect, test } from "vitest";
import { FAULT_POINTS } from "../fault-points.ts";
import { seeded } from "../random.ts";
import { playRound } from "../round.ts";

/** Short rounds that depend on no lease: a slow machine makes them longer, and changes nothing. */
const NAMES = [
  "kill:claim/half-write",
  "kill:commit/after-link",
  "kill:exchange/before-send+kill:claim/after-link",
  "kill:exchange/answer-arrived@grace",
  "kill:exchange/answer-arrived@sign-in",
  "tear-file:commit/before-link",
];

test.for(NAMES)("%s violates no invariant", { timeout: 120_000 }, async (name, { skip }) => {
  skip(process.platform !== "linux", "not applicable: the processes are watched through Linux's /proc");
  const point = FAULT_POINTS.find((each) => each.name === name);
  if (!point) throw new Error(`there is no fault point ${name}`);
  const { violations, isMissed, log } = await playRound(point, 0, seeded(`1 ${name} 0`));
  expect({ violations, isMissed }, log).toEqual({ violations: [], isMissed: false });
});
