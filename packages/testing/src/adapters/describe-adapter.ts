import { defineTests, type Runner } from "../runner.ts";
import { adapterCases } from "./adapter-cases.ts";
import { type AdapterCase, reasonAgainst } from "./cases/case.ts";
import type { AdapterHarness } from "./harness.ts";
import { AdapterScene } from "./scene.ts";

/**
 * Defines a test for everything that is asked of an adapter for an HTTP client, in the caller's own test runner, against
 * real HTTP servers. What the client lacks is skipped, and printed with the reason.
 */
export function describeAdapter(runner: Runner, harness: AdapterHarness): void {
  defineTests(runner, { name: "an adapter", cases: adapterCases }, (each) => runAdapterCase(each, harness));
}

/**
 * Runs one case with servers and a session of its own. Resolves to why it could not be run, where that is so.
 *
 * @throws ConformanceError where the adapter does not do what the contract says, and whatever else the client throws
 */
export async function runAdapterCase(each: AdapterCase, harness: AdapterHarness): Promise<string | undefined> {
  const reason = reasonAgainst(each, harness);
  if (reason !== undefined) return reason;
  await using scene = await AdapterScene.create(harness);
  await each.run(scene);
  return undefined;
}
