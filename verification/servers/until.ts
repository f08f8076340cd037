import { setTimeout as wait } from "node:timers/promises";

const LIMIT = 5_000; // ms

/** Waits until a condition holds, at most five seconds. Resolves to whether it does. */
export async function until(condition: () => boolean): Promise<boolean> {
  const began = performance.now();
  while (!condition() && performance.now() - began < LIMIT) await wait(2);
  return condition();
}

/** Returns a result, or a remark if it takes more than five seconds. */
export async function inTime(result: Promise<string>): Promise<string> {
  const controller = new AbortController();
  const late = wait(LIMIT, `nothing within ${LIMIT / 1000} s`, { signal: controller.signal });
  return Promise.race([result, late]).finally(() => controller.abort());
}
