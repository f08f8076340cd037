import type { Reporter, SerializedError, TestCase, TestModule } from "vitest/node";

/**
 * With `UNEXPIRED_REQUIRE_ALL=1` a skipped test fails the run, unless its reason begins like this. The last two are the
 * conformance kit's: what a store does not promise, and what cannot be done to it.
 */
const NOT_APPLICABLE = /^not (applicable|promised|testable)/;

interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** One line each: test, reason, and whether the skip fails the run. */
  readonly skips: readonly { readonly name: string; readonly reason: string; readonly fails: boolean }[];
}

const skipOf = (test: TestCase, requireAll: boolean) => {
  const result = test.result();
  const reason = (result.state === "skipped" ? result.note : undefined) ?? "no reason given";
  return { name: test.fullName, reason, fails: requireAll && !NOT_APPLICABLE.test(reason) };
};

/** The lines to print: every skip with its reason, then the counts alone. */
export function report({ passed, failed, skips }: Counts): string[] {
  const failing = skips.filter((skip) => skip.fails).length;
  const skipped = skips.length - failing;
  return [
    ...skips.map((skip) => `${skip.fails ? "failed, because skipped" : "skipped"}: ${skip.name} (${skip.reason})`),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    `${passed} passed, ${failed + failing} failed`,
  ];
}

/** Ends the run with a line alone: `N passed, N failed`. A file or suite that cannot start counts as one failed test. */
export class CountsReporter implements Reporter {
  readonly #leftOut: readonly string[];

  /** `leftOut`: what the configuration leaves out of a run that is not exhaustive. */
  constructor(leftOut: readonly string[]) {
    this.#leftOut = leftOut;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[], outcome: string): void {
    const requireAll = process.env.UNEXPIRED_REQUIRE_ALL === "1";
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const inState = (state: string) => tests.filter((test) => test.result().state === state);
    const suites = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const broken = suites.filter((suite) => suite.errors().length > 0).length;
    const failed = inState("failed").length + broken + unhandled.length;
    const counts: Counts = {
      passed: inState("passed").length,
      failed: outcome === "failed" ? Math.max(failed, 1) : failed,
      skips: inState("skipped").map((test) => skipOf(test, requireAll)),
    };
    if (counts.skips.some((skip) => skip.fails)) process.exitCode = 1;
    // Printed at exit: the other reporters and a "close timed out" notice come first.
    process.once("exit", () => process.stdout.write(`\n${[...this.#skippedFiles(), ...report(counts)].join("\n")}\n`));
  }

  #skippedFiles(): string[] {
    return this.#leftOut.map((name) => `skipped: ${name} (runs with UNEXPIRED_EXHAUSTIVE=1, as in .ci/run)`);
  }
}
