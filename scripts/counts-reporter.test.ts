import { expect, it } from "vitest";
import { report } from "./counts-reporter.ts";

it("prints the counts alone on the last line", () => {
  expect(report({ passed: 2, failed: 1, skips: [] })).toEqual(["2 passed, 1 failed"]);
});

it("lists every skip with its reason", () => {
  const skips = [{ name: "a", reason: "needs a Secret Service", fails: false }];
  expect(report({ passed: 2, failed: 0, skips })).toEqual([
    "skipped: a (needs a Secret Service)",
    "1 skipped",
    "2 passed, 0 failed",
  ]);
});

it("counts a skip that is not allowed as failed", () => {
  const skips = [{ name: "a", reason: "needs a Secret Service", fails: true }];
  expect(report({ passed: 2, failed: 0, skips }).at(-1)).toBe("2 passed, 1 failed");
});
