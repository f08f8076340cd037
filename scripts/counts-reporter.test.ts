import { expect, test } from "vitest";
import { report } from "./counts-reporter.ts";

test("the counts are the last line, alone", () => {
  expect(report({ passed: 2, failed: 1, skips: [] })).toEqual(["2 passed, 1 failed"]);
});

test("skips are listed with their reasons", () => {
  const skips = [{ name: "a", reason: "needs a Secret Service", fails: false }];
  expect(report({ passed: 2, failed: 0, skips })).toEqual([
    "skipped: a (needs a Secret Service)",
    "1 skipped",
    "2 passed, 0 failed",
  ]);
});

test("a skip that is not allowed counts as failed", () => {
  const skips = [{ name: "a", reason: "needs a Secret Service", fails: true }];
  expect(report({ passed: 2, failed: 0, skips }).at(-1)).toBe("2 passed, 1 failed");
});
