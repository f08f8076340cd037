import { expect, it } from "vitest";
import { brokenPromises, type Figures } from "../promises.ts";
import { tableOf } from "../table.ts";

const run: Figures["run"] = {
  requests: 9_000,
  failures: {},
  interrupted: 0,
  median: 10,
  slowest: 100,
  replays: 0,
  repeated: 0,
  revoked: 0,
  rate: 300,
  restart: false,
  exchanges: 1_000,
  expected: 1_001,
  extra: 0,
  cpu: 1_500,
};
const memory: Figures["memory"] = { live: 4_096, idle: 1_024, timers: 20 };

it("finds nothing wrong with figures at their limits", () => {
  expect(brokenPromises({ run, memory })).toEqual([]);
});

it.each([
  ["1 requests failed", { failures: { "502 STORE_UNAVAILABLE": 1 } }],
  ["1 exchanges more than one for each user and expiry", { extra: 1 }],
  ["1 refresh tokens were presented twice", { replays: 1 }],
  ["1 grants were revoked", { revoked: 1 }],
  ["no request was sent", { requests: 0 }],
  ["no token was refreshed", { exchanges: 0 }],
])("finds that %s", (text, change) => {
  expect(brokenPromises({ run: { ...run, ...change }, memory })).toEqual([text]);
});

it.each([
  ["a live session takes 4097 bytes, more than 4096", { live: 4_097 }],
  ["an idle session takes 1025 bytes, more than 1024", { idle: 1_025 }],
  ["1020 timers, more than 50", { timers: 1_020 }],
])("finds that %s", (text, change) => {
  expect(brokenPromises({ run, memory: { ...memory, ...change } })).toEqual([text]);
});

it("does not mind how long responses take, and how many requests a killed process has interrupted", () => {
  const slow = { median: 60_000, slowest: 90_000, rate: 1, cpu: 1e9, interrupted: 100, repeated: 1, restart: true };
  expect(brokenPromises({ run: { ...run, ...slow }, memory })).toEqual([]);
});

it("shows the processor time beside that of the server by hand", () => {
  const table = tableOf({ run, memory }, { ...run, cpu: 1_000 });
  expect(table).toMatch(/processor time for each request +1500 µs +1000 µs\n/);
  expect(table).toMatch(/the same, by comparison +1\.50 +1\n/);
});
