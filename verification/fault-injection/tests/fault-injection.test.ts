import { expect, it } from "vitest";
import { FAULT_POINTS } from "../fault-points.ts";
import { seeded } from "../random.ts";
import { playRound } from "../round.ts";

/** Short rounds that do not depend on a lease: a slow machine makes them longer, but does not change their outcome. */
const NAMES = [
  "kill:claim/half-write",
  "kill:commit/after-link",
  "kill:exchange/before-send+kill:claim/after-link",
  "kill:exchange/response-arrived@grace",
  "kill:exchange/response-arrived@sign-in",
  "tear-file:commit/before-link",
  "kill:sign-in-claim/after-link",
  "kill:sign-in-commit/before-link",
  "kill:sign-in-prompt/responded",
  "none:sign-in-end/after-save",
];

it.for(NAMES)("violates no invariant: %s", { timeout: 120_000 }, async (name, { skip }) => {
  skip(process.platform !== "linux", "not applicable: the processes are watched through Linux's /proc");
  const point = FAULT_POINTS.find((each) => each.name === name);
  if (!point) throw new Error(`There is no fault point named ${name}.`);
  const { violations, isMissed, log } = await playRound(point, 0, seeded(`1 ${name} 0`));
  expect({ violations, isMissed }, log).toEqual({ violations: [], isMissed: false });
});
