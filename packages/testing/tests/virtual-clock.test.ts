import { expect, it } from "vitest";
import { settle, VirtualClock } from "../src/index.ts";

const HOUR = 3_600_000;

it("advances only when told to", async () => {
  const clock = new VirtualClock(1000);
  expect([clock.now(), clock.monotonic()]).toEqual([1000, 0]);
  await clock.advance(HOUR);
  expect([clock.now(), clock.monotonic()]).toEqual([1000 + HOUR, HOUR]);
});

it("jumps with the wall clock alone, without calling timers", async () => {
  const clock = new VirtualClock();
  const start = clock.now();
  const calls: number[] = [];
  clock.setTimer(() => calls.push(clock.monotonic()), 10, true);
  clock.jump(-HOUR);
  await clock.advance(9);
  expect([clock.now(), calls]).toEqual([start - HOUR + 9, []]);
  await clock.advance(1);
  expect(calls).toEqual([10]);
});

it("calls timers in order, each at its time, including timers set by others", async () => {
  const clock = new VirtualClock(0);
  const calls: string[] = [];
  const call = (name: string) => () => void calls.push(`${name} at ${clock.now()}`);
  clock.setTimer(call("late"), 20, true);
  clock.setTimer(call("early"), 10, true);
  clock.setTimer(() => void settle().then(() => clock.setTimer(call("nested"), 5, true)), 10, false);
  clock.setTimer(call("at once"), -5, true);
  clock.setTimer(call("canceled"), 15, true)();
  await clock.advance(20);
  expect(calls).toEqual(["at once at 0", "early at 10", "nested at 15", "late at 20"]);
});

it("leaps, and calls timers that became due late and once", async () => {
  const clock = new VirtualClock(0);
  const calls: number[] = [];
  clock.setTimer(() => calls.push(clock.now()), 10, true);
  clock.setTimer(() => calls.push(clock.now()), HOUR + 1, true);
  await clock.leap(HOUR);
  expect(calls).toEqual([HOUR]);
});

it("counts the timers that keep a process alive", async () => {
  const clock = new VirtualClock();
  const cancel = clock.setTimer(() => {}, 10, true);
  clock.setTimer(() => {}, 10, true);
  clock.setTimer(() => {}, 10, false);
  expect(clock.keepingAlive).toBe(2);
  cancel();
  expect(clock.keepingAlive).toBe(1);
  await clock.advance(10);
  expect(clock.keepingAlive).toBe(0);
});

it("returns the same random numbers in every run", () => {
  const numbers = () => {
    const clock = new VirtualClock();
    return [clock.random(), clock.random(), clock.random()];
  };
  expect(numbers()).toEqual(numbers());
  expect(new Set(numbers()).size).toBe(3);
  for (const number of numbers()) expect(number >= 0 && number < 1).toBe(true);
});
