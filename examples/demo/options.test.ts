import { describe, expect, it } from "vitest";
import { parseOptions, UsageError } from "./options.ts";

describe("parseOptions", () => {
  it.each([
    [[], { mode: "unexpired", json: false, seconds: 20, processes: 8 }],
    [["--naive", "--json"], { mode: "naive", json: true, seconds: 20, processes: 8 }],
    [["--seconds", "6", "--processes=4"], { mode: "unexpired", json: false, seconds: 6, processes: 4 }],
    [["--", "--json"], { mode: "unexpired", json: true, seconds: 20, processes: 8 }],
    [["--seconds=1", "--processes=1"], { mode: "unexpired", json: false, seconds: 1, processes: 1 }],
    [["--seconds=3600", "--processes=64"], { mode: "unexpired", json: false, seconds: 3600, processes: 64 }],
    [["--help"], "help"],
    [["-h"], "help"],
  ])("parses %j", (argv, expected) => {
    expect(parseOptions(argv)).toEqual(expected);
  });

  it.each([
    [["--seconds", "0"], "--seconds"],
    [["--seconds", "3601"], "--seconds"],
    [["--seconds", "1.5"], "--seconds"],
    [["--seconds", "-5"], "--seconds"],
    [["--seconds="], "--seconds"],
    [["--seconds", "soon"], "soon"],
    [["--processes", "0"], "--processes"],
    [["--processes", "65"], "--processes"],
    [["--nave"], "--nave"],
    [["twenty"], "twenty"],
    [["--json=yes"], "--json"],
  ])("rejects %j with a message that names the error", (argv, named) => {
    expect(() => parseOptions(argv)).toThrow(UsageError);
    expect(() => parseOptions(argv)).toThrow(named);
  });
});
