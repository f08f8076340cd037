import { describe, expect, it } from "vitest";
import { retryAfterOf } from "../../src/util/retry-after.ts";

const NOW = Date.UTC(2026, 10, 30, 10);

describe("retryAfterOf", () => {
  it.each([
    ["0", 0],
    ["7", 7_000],
    ["3.5", 3_500],
    ["0.0001", 1],
    ["Mon, 30 Nov 2026 10:00:30 GMT", 30_000],
    ["Monday, 30-Nov-26 10:00:30 GMT", 30_000],
    ["2026-11-30T10:00:30Z", 30_000],
    ["Mon, 30 Nov 2026 09:00:00 GMT", 0],
    ["-5", undefined],
    ["5, 10", undefined],
    ["5.", undefined],
    ["1e9", undefined],
    ["", undefined],
    ["soon: later", undefined],
  ])("reads %j as %s", (value, delay) => {
    expect(retryAfterOf(new Headers({ "retry-after": value }), NOW)).toBe(delay);
  });

  it("compares a date with the server's clock", () => {
    const headers = { "retry-after": "Mon, 30 Nov 2026 12:00:30 GMT", date: "Mon, 30 Nov 2026 12:00:00 GMT" };
    expect(retryAfterOf(new Headers(headers), NOW)).toBe(30_000);
  });
});
