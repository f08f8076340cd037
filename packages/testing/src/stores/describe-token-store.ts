import { defineTests, type Runner } from "../runner.ts";
import { type StoreCase, skipReason } from "./cases/case.ts";
import type { StoreHarness } from "./harness.ts";
import { StoreScene } from "./scene.ts";
import { storeCases } from "./store-cases.ts";

/**
 * Defines a test for each requirement of the store contract, in the caller's own test runner. Tests of features that
 * the store or the harness lacks are skipped, and printed with the reason. Most tests take milliseconds; each has a
 * timeout of two minutes.
 */
export function describeTokenStore(runner: Runner, harness: StoreHarness): void {
  defineTests(runner, { name: "a token store", cases: storeCases }, (each) => runCase(each, harness));
}

/**
 * Runs one case in a new location. Resolves to the reason for skipping it, or to `undefined` if it ran and passed.
 *
 * @throws ConformanceError if the store violates the contract. Other errors of the store or the harness pass through.
 */
export async function runCase(each: StoreCase, harness: StoreHarness): Promise<string | undefined> {
  const scene = await StoreScene.create(harness);
  let reason: string | undefined;
  try {
    reason = skipReason(each.needs, await scene.open(), scene.fixture);
    if (reason === undefined) await each.run(scene);
  } catch (error) {
    await scene[Symbol.asyncDispose]().catch(() => {}); // the failure of the case matters more
    throw error;
  }
  await scene[Symbol.asyncDispose]();
  return reason;
}
