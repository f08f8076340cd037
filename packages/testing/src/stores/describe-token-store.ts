import { defineTests, type Runner } from "../runner.ts";
import { reasonAgainst, type StoreCase } from "./cases/case.ts";
import type { StoreHarness } from "./harness.ts";
import { StoreScene } from "./scene.ts";
import { storeCases } from "./store-cases.ts";

/**
 * Defines a test for everything that is asked of a store, in the caller's own test runner. What the store does not
 * promise, or the harness cannot do, is skipped, and printed with the reason. A test may take two minutes; most take
 * milliseconds.
 */
export function describeTokenStore(runner: Runner, harness: StoreHarness): void {
  defineTests(runner, { name: "a token store", cases: storeCases }, (each) => runCase(each, harness));
}

/**
 * Runs one case in a place of its own. Resolves to why it could not be run, where that is so.
 *
 * @throws ConformanceError where the store does not do what the contract says, and whatever else the store or the
 * harness throws
 */
export async function runCase(each: StoreCase, harness: StoreHarness): Promise<string | undefined> {
  const scene = await StoreScene.create(harness);
  let reason: string | undefined;
  try {
    reason = reasonAgainst(each.needs, await scene.open(), scene.fixture);
    if (reason === undefined) await each.run(scene);
  } catch (error) {
    await scene[Symbol.asyncDispose]().catch(() => {}); // what the case found matters more
    throw error;
  }
  await scene[Symbol.asyncDispose]();
  return reason;
}
