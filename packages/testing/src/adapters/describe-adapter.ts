import { defineTests, type Runner } from "../runner.ts";
import { adapterCases } from "./adapter-cases.ts";
import { type AdapterCase, skipReason } from "./cases/case.ts";
import type { AdapterHarness } from "./harness.ts";
import { AdapterScene } from "./scene.ts";

const TIMEOUT = 120_000; // ms

/**
 * Defines a test for each requirement of the adapter contract, in the caller's own test runner. The tests run against
 * real HTTP servers. Cases that need a feature which the client lacks are skipped, and printed with the reason.
 */
export function describeAdapter(runner: Runner, harness: AdapterHarness): void {
  defineTests(runner, { name: "an adapter", cases: adapterCases, timeout: TIMEOUT }, (each) =>
    runAdapterCase(each, harness),
  );
}

/**
 * Runs one case with new servers and a new session. Resolves to the reason for skipping it, or to `undefined` if it ran
 * and passed.
 *
 * @throws ConformanceError if the adapter violates the contract. Unexpected errors of the client pass through.
 */
export async function runAdapterCase(each: AdapterCase, harness: AdapterHarness): Promise<string | undefined> {
  const reason = skipReason(each, harness);
  if (reason !== undefined) return reason;
  await using scene = await AdapterScene.create(harness);
  await each.run(scene);
  return undefined;
}
