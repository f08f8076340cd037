import { defineTests, type Runner } from "../runner.ts";
import { type StoreCase, skipReason } from "./cases/case.ts";
import type { StoreHarness } from "./harness.ts";
import { type StoreOptions, StoreScene } from "./scene.ts";
import { storeCases } from "./store-cases.ts";
import { TIMEOUT } from "./time-limit.ts";

const CASE_TIME = 100_000; // ms; one case starts and kills fifty processes

/**
 * Defines a test for each requirement of the store contract, in the caller's own test runner. Tests of features that
 * the store or the harness lacks are skipped, and printed with the reason. Most tests take milliseconds; those with
 * processes take seconds.
 */
export function describeTokenStore(runner: Runner, harness: StoreHarness, options?: StoreOptions): void {
  const timeout = CASE_TIME + (options?.timeout ?? TIMEOUT);
  defineTests(runner, { name: "a token store", cases: storeCases, timeout }, (each) => runCase(each, harness, options));
}

/**
 * Runs one case in a new location. Resolves to the reason for skipping it, or to `undefined` if it ran and passed.
 *
 * @throws ConformanceError if the store violates the contract. Other errors of the store or the harness pass through.
 */
export async function runCase(
  each: StoreCase,
  harness: StoreHarness,
  options?: StoreOptions,
): Promise<string | undefined> {
  const scene = await StoreScene.create(harness, options);
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
