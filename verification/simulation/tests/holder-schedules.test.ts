import { expect } from "vitest";
import { HOLD } from "../constants.ts";
import { type Script, schedule } from "./script.ts";

const LIFETIME = 60_000;
const LEASE = 14_000; // twice the deadline of an exchange, and ten seconds

/** Three programs with an expired session, of which the first has claimed the refresh and come to this event. */
async function claimed(script: Script, event = "send A0R1") {
  const programs = await script.signedIn();
  void programs[0].get();
  await script.before(programs[0], event);
  return programs;
}

for (const stopped of [45_000, 90_000, HOLD - 10_000]) {
  schedule(`I23: waits for a holder that is stopped for ${stopped / 1000} s, and names it`, {}, async (script) => {
    const [a, b, c] = await claimed(script, "response to A0R1");
    a.process.suspend();
    expect(await script.get(b, LEASE + 1_000)).toBe("REFRESH_FAILED");
    expect(b.error).toMatchObject({
      reason: "claimed",
      message: expect.stringContaining('process 100 (stopped; "kill -CONT 100" continues it)'),
    });
    expect(await script.get(c, 50)).toBe("REFRESH_FAILED");
    await script.pass(stopped - LEASE - 1_050);
    expect(await script.get(b, 50)).toBe("REFRESH_FAILED");
    a.process.resume();
    await script.pass(1_000);
    // The access token may have expired by then, but its response was still received.
    expect(script.presented).toEqual(stopped < LIFETIME ? ["p0 A0R1"] : ["p0 A0R1", "p0 A0R2"]);
    for (const each of [a, b, c]) expect(await script.get(each)).toMatch(/^A0a/);
    expect(script.presented.filter((presented) => presented.endsWith("A0R1"))).toEqual(["p0 A0R1"]);
  });
}

schedule("I23: takes over from a holder that is stopped for more than ten minutes", {}, async (script) => {
  const [a, b] = await claimed(script);
  a.process.suspend();
  expect(await script.get(b, LEASE + 1_000)).toBe("REFRESH_FAILED");
  await script.pass(HOLD - LEASE - 10_000);
  expect(await script.get(b, 100)).toBe("REFRESH_FAILED");
  await script.pass(10_000);
  expect(await script.get(b)).toBe("A0a2");
  expect(script.presented).toEqual(["p0 A0R1", "p1 A0R1"]);
  a.process.kill();
});

schedule("I23: takes over at once from a stopped holder that is killed", {}, async (script) => {
  const [a, b] = await claimed(script);
  a.process.suspend();
  expect(await script.get(b, LEASE + 1_000)).toBe("REFRESH_FAILED");
  a.process.kill();
  expect(await script.get(b, 100)).toBe("A0a2");
});

schedule("I23: takes over at once from a holder that is a zombie", {}, async (script) => {
  const [a, b] = await claimed(script);
  a.process.kill({ isZombie: true });
  expect(await script.get(b, 100)).toBe("A0a2");
});

schedule("I23: takes over at once from a holder whose pid was reused", {}, async (script) => {
  const [a, b] = await claimed(script);
  a.process.kill();
  expect(script.start().process.pid).toBe(a.process.pid);
  expect(await script.get(b, 100)).toBe("A0a2");
});

schedule("I23: takes over at once from a worker thread that was terminated", { hasThreads: true }, async (script) => {
  const [a, b] = await claimed(script);
  expect(b.process.pid).toBe(a.process.pid);
  a.process.kill();
  expect(await script.get(b, 100)).toBe("A0a2");
});

schedule("I23: takes over after the lease on a system without start times", { platform: "darwin" }, async (script) => {
  const [a, b] = await claimed(script);
  a.process.suspend();
  const waiting = b.get();
  await script.pass(LEASE - 1_000);
  expect(script.presented).toEqual(["p0 A0R1"]);
  await script.pass(2_000);
  expect(await script.outcome(b, waiting)).toBe("A0a2");
  a.process.kill();
});

schedule(
  "I23: takes over at once from a holder without start time that was killed",
  { platform: "darwin" },
  async (script) => {
    const [a, b] = await claimed(script);
    a.process.kill();
    expect(await script.get(b, 100)).toBe("A0a2");
  },
);

schedule("I23: goes on soon if the end of an attempt could not be stored", {}, async (script) => {
  const [a, b] = await script.signedIn();
  script.world.faults.plan("429");
  const asked = a.get();
  await script.before(a, "response to A0R1");
  script.world.faults.plan("save fails");
  await script.pass(100);
  expect(await script.outcome(a, asked)).toBe("REFRESH_FAILED");
  expect(script.world.invariants.records.current?.attempt?.status).toBe("claimed");
  await script.pass(2_000);
  expect(script.world.invariants.records.current?.attempt?.status).toBe("failed");
  await script.pass(7_000);
  expect(await script.get(b)).toBe("A0a2");
});

schedule("I23: goes on soon if a claim that was not used is in the store", { kind: "file" }, async (script) => {
  const [a, b] = await script.signedIn();
  const asked = a.get();
  await script.before(a, "link");
  await script.world.step(Number.POSITIVE_INFINITY);
  await script.detach(5_000);
  await script.pass(1_000);
  expect(await script.outcome(a, asked)).toBe("STORE_UNAVAILABLE");
  await script.pass(6_000);
  expect(script.world.invariants.records.current?.attempt).toBeUndefined();
  expect(await script.get(b)).toBe("A0a2");
  expect(script.presented).toEqual(["p1 A0R1"]);
});
