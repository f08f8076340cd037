import { expect, it } from "vitest";
import { parseOptions } from "../options.ts";

it("runs both engines for 30 seconds by default, and kills no process", () => {
  expect(parseOptions(["--"])).toEqual({
    engines: ["postgres", "redis"],
    processes: 4,
    users: 1_000,
    seconds: 30,
    rate: 300,
    restart: false,
    compare: true,
  });
});

it("kills a process in a longer run, unless an option says otherwise", () => {
  expect(parseOptions(["--seconds", "300"]).restart).toBe(true);
  expect(parseOptions(["--seconds", "300", "--no-restart"]).restart).toBe(false);
  expect(parseOptions(["--no-compare"]).compare).toBe(false);
  expect(parseOptions(["--restart"]).restart).toBe(true);
});

it.each([
  [["--store", "sqlite"], "--store must be postgres, redis or both, not sqlite."],
  [["--users", "0"], "--users must be a whole number above 0, not 0."],
])("rejects %s", (args, message) => {
  expect(() => parseOptions(args)).toThrow(new TypeError(message));
});
