import { describe, expect, it } from "vitest";
import type { Member } from "./fleet.ts";
import { mostExchanges, problems, type Snapshot, summarize } from "./outcome.ts";

const member = (given: Partial<Member>): Member => ({
  number: 1,
  client: "axios",
  pid: 100,
  status: "valid",
  requests: 10,
  failed: 0,
  exchanges: 1,
  ...given,
});

const snapshot = (given: Partial<Snapshot> = {}): Snapshot => ({
  options: { mode: "unexpired", json: true, seconds: 20, processes: 2 },
  elapsed: 20,
  members: [member({}), member({ number: 2, end: "killed" })],
  exchanges: 10,
  revokedGrants: 0,
  ...given,
});

it.each([
  [1, 2],
  [2, 2],
  [3, 3],
  [6, 4],
  [20, 10],
  [60, 26],
])("allows, in %d seconds, at most %d exchanges", (seconds, most) => {
  expect(mostExchanges(seconds)).toBe(most);
});

it("adds up all processes, including a killed one", () => {
  expect(summarize(snapshot())).toEqual({
    processes: 2,
    requests: 20,
    failedRequests: 0,
    exchanges: 10,
    revokedGrants: 0,
    seconds: 20,
    mode: "unexpired",
  });
});

describe("problems", () => {
  it.each<[string, Partial<Snapshot>, string[]]>([
    ["nothing after a run without failures", {}, []],
    ["one failed request", { members: [member({ failed: 1 })] }, ["1 of 10 requests failed"]],
    ["no request at all", { members: [member({ requests: 0 })] }, ["there was no request"]],
    ["a revoked grant", { revokedGrants: 1 }, ["the server revoked 1 grant"]],
    ["one exchange too many", { exchanges: 11 }, ["11 token exchanges instead of at most 10"]],
    ["a crash", { members: [member({ end: "crashed" })] }, ["1 process ended early"]],
  ])("reports %s", (_name, given, expected) => {
    expect(problems(snapshot(given))).toEqual(expected);
  });
});
