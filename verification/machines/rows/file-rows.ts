import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { outcome } from "@unexpired-internal/tables/outcome";
import type { Scene } from "../scene.ts";

/** The directory of the generations. */
export const chainOf = (scene: Scene) => join(dirname(scene.file), ".session.json.unexpired");

/** The outcome of a call, and whether it came within five seconds. */
export async function withinFive(result: Promise<string>): Promise<string> {
  const began = performance.now();
  const saw = await Promise.race([outcome(result), wait(20_000, "nothing")]);
  return `${saw} within ${performance.now() - began < 5_000 ? "5 s" : "20 s"}`;
}
