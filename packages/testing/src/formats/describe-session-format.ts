import { defineTests, type Runner } from "../runner.ts";
import { type FormatCase, skipReason } from "./cases/case.ts";
import { formatCases } from "./format-cases.ts";
import type { FormatHarness } from "./harness.ts";

const TIMEOUT = 20_000; // ms

/**
 * Defines a test for each requirement of the contract of session formats, in the caller's own test runner. Cases that the
 * harness cannot run are skipped, and printed with the reason.
 */
export function describeSessionFormat(runner: Runner, harness: FormatHarness): void {
  defineTests(runner, { name: "a session format", cases: formatCases, timeout: TIMEOUT }, (each) =>
    runFormatCase(each, harness),
  );
}

/**
 * Runs one case. Resolves to the reason for skipping it, or to `undefined` if it ran and passed.
 *
 * @throws ConformanceError if the format violates the contract. Other errors of the harness pass through.
 */
export async function runFormatCase(each: FormatCase, harness: FormatHarness): Promise<string | undefined> {
  const reason = skipReason(each, harness);
  if (reason === undefined) each.run(harness);
  return reason;
}
