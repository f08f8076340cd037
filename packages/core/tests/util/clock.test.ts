import { afterEach, expect, it, vi } from "vitest";
import { systemClock } from "../../src/util/clock.ts";
import { startSession } from "../support/session.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

it("draws IDs that differ even if Math.random repeats", () => {
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  const ids = Array.from({ length: 1_000 }, systemClock.randomId);
  expect(new Set(ids).size).toBe(1_000);
  for (const id of ids) expect(id).toMatch(/^[0-9a-z]{12,28}$/);
});

it("presents a refresh token once if the processes' random numbers are the same (P1)", async () => {
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  const { clock, issuer, open, signIn } = startSession();
  await signIn(0);
  const { now, monotonic, setTimer } = clock;
  const managers = Array.from({ length: 6 }, () => open({ clock: { now, monotonic, setTimer, random: () => 0.5 } }));
  const tokens = Promise.all(managers.map((manager) => manager.getAccessToken()));
  await clock.advance(1_000);
  expect(new Set(await tokens).size).toBe(1);
  expect(issuer.presented).toHaveLength(1);
});
