import { beforeEach, expect, it } from "vitest";
import { Schedule } from "../schedule.ts";

/** A user whose token is to be refreshed from 16,000 ms on, and each later one 16,000 ms after it was obtained. */
let schedule = new Schedule(20);
beforeEach(() => {
  schedule = new Schedule(20);
  schedule.start("alice", 16_000);
});

const request = (sentAt: number, endedAt = sentAt) => schedule.begin("alice", sentAt)(endedAt);

it("expects no exchange while the token is outside of its last fifth", () => {
  request(15_999);
  expect(schedule.exchanges).toEqual({ alice: 0 });
});

it("expects one exchange for requests at the same time", () => {
  const ends = [1, 2, 3, 4].map(() => schedule.begin("alice", 16_000));
  for (const end of ends) end(16_050);
  expect(schedule.exchanges).toEqual({ alice: 1 });
});

it("expects the next exchange when the new token is in its last fifth", () => {
  request(16_000);
  request(31_999);
  expect(schedule.exchanges).toEqual({ alice: 1 });
  request(32_000);
  expect(schedule.exchanges).toEqual({ alice: 2 });
});

it("expects an exchange at the earliest time at which a pending request may have caused it", () => {
  const end = schedule.begin("alice", 17_000);
  request(18_000);
  request(33_000);
  end(33_000);
  expect(schedule.exchanges).toEqual({ alice: 2 });
});

it("expects an exchange for a request that was sent before it was due, and took longer", () => {
  request(15_000, 16_500);
  expect(schedule.exchanges).toEqual({ alice: 1 });
});
