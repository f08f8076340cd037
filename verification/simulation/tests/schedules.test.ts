import { expect, test } from "vitest";
import type { WorldOptions } from "../world.ts";
import { Script } from "./script.ts";

/** A schedule, after each step of which every invariant is checked as well. */
function schedule(name: string, options: Partial<WorldOptions>, play: (script: Script) => Promise<void>): void {
  test(name, async () => {
    const script = new Script(options);
    await play(script);
    script.world.invariants.checkEnd();
    expect(script.world.invariants.violation).toBeUndefined();
  });
}

const HOURS = 3_600_000;

schedule("I1: suspended before the request leaves, past the lease, while another rotates", {}, async (script) => {
  const [a, b] = await script.signedIn();
  const late = a.get();
  await script.before(a, "send A0R1");
  a.process.suspend();
  expect(await script.get(b, 13_000)).toBe("A0a2");
  a.process.resume();
  await script.pass(1_000);
  expect(await script.outcome(a, late)).toBe("A0a2");
  expect(script.presented).toEqual(["p0 A0R1", "p1 A0R1"]);
  expect(script.stored).toBe("A0R2");
});

schedule("I3: the owner dies before it reads the answer, with grace", { graceSeconds: 30 }, async (script) => {
  const [a, b] = await script.signedIn(5_000);
  void a.get();
  await script.before(a, "answer to A0R1");
  a.process.kill();
  expect(await script.get(b)).toBe("A0a1");
  expect(script.presented).toEqual(["p0 A0R1", "p1 A0R1"]);
  expect(script.stored).toBe("A0R2");
  expect(await script.get(b)).toBe("A0a3");
});

schedule("I3: the owner dies before it reads the answer, without grace", {}, async (script) => {
  const [a, b] = await script.signedIn(5_000);
  void a.get();
  await script.before(a, "answer to A0R1");
  a.process.kill();
  for (let second = 0; second < 5; second++) expect(await script.get(b)).toBe("A0a1");
  expect(script.presented).toEqual(["p0 A0R1"]);
  expect(await script.get(b)).toBe("answer_lost");
  expect(script.presented).toEqual(["p0 A0R1", "p1 A0R1"]);
  expect(script.stored).toBe("answer_lost");
});

schedule("I5: stalled before its commit, while another gets a verdict", { kind: "file" }, async (script) => {
  const [a, b] = await script.signedIn();
  const late = a.get();
  await script.before(a, "answer to A0R1");
  await script.before(a, "stat");
  a.process.suspend();
  expect(await script.get(b, 13_000)).toBe("answer_lost");
  expect(script.stored).toBe("answer_lost");
  a.process.resume();
  await script.pass(1_000);
  expect(await script.outcome(a, late)).toBe("A0a2");
  expect(script.stored).toBe("A0R2");
  expect(await script.get(b)).toBe("A0a2");
});

schedule("I7: who is gone cannot be told from elsewhere: the lease decides", { machines: 2 }, async (script) => {
  const [a, b] = await script.signedIn();
  void a.get();
  await script.before(a, "send A0R1");
  a.process.kill();
  const waiting = b.get();
  await script.pass(11_000);
  expect(script.presented).toEqual(["p0 A0R1"]);
  await script.pass(2_000);
  expect(await script.outcome(b, waiting)).toBe("A0a2");
});

schedule("I7: on the owner's machine it is told at once", { machines: 2 }, async (script) => {
  const [a, , b] = await script.signedIn();
  void a.get();
  await script.before(a, "send A0R1");
  a.process.kill();
  expect(await script.get(b, 10)).toBe("A0a2");
});

schedule("I9: a foreign program writes R1 back over R2 in the session file", { kind: "file" }, async (script) => {
  const [a, b] = await script.signedIn();
  expect(await script.get(a)).toBe("A0a2");
  const { disk, place } = script.files;
  disk.put(place.file, `${script.world.invariants.records.past[0]}\n`);
  expect(await script.get(b)).toBe("A0a2");
  expect(script.files.isProjected).toBe(true);
  await script.pass(60_000);
  expect(await script.get(b)).toBe("A0a3");
  expect(script.presented).toEqual(["p0 A0R1", "p1 A0R2"]);
});

schedule("I12: nobody knows whether the claim was saved; it was", {}, async (script) => {
  const [a] = await script.signedIn();
  script.world.faults.plan("outcome unknown: saved");
  expect(await script.get(a)).toBe("A0a2");
  expect(script.presented).toEqual(["p0 A0R1"]);
});

schedule("I12: nobody knows whether the claim was saved; it was not", {}, async (script) => {
  const [a] = await script.signedIn();
  script.world.faults.plan("outcome unknown: not saved");
  expect(await script.get(a)).toBe("STORE_UNAVAILABLE");
  expect(script.presented).toEqual([]);
  expect(await script.get(a)).toBe("A0a2");
});

for (const outcome of ["saved", "not saved"] as const) {
  schedule(`I12: nobody knows whether the rotation was saved; it was ${outcome}`, {}, async (script) => {
    const [a, b] = await script.signedIn();
    const asked = a.get();
    await script.before(a, "answer to A0R1");
    script.world.faults.plan(`outcome unknown: ${outcome}`);
    await script.pass(2_000);
    expect(await script.outcome(a, asked)).toBe("A0a2");
    expect(script.stored).toBe("A0R2");
    expect(await script.get(b)).toBe("A0a2");
    expect(script.presented).toEqual(["p0 A0R1"]);
  });
}

schedule("I14: the directory vanishes and comes back empty", { kind: "file" }, async (script) => {
  const [a] = await script.signedIn();
  await script.detach(5_000, { isEmpty: true });
  expect(await script.get(a)).toBe("STORE_UNAVAILABLE");
  await script.pass(5_000);
  expect(await script.get(a)).toBe("STORE_UNAVAILABLE");
  expect(await script.get(script.start())).toBe("no_session");
  expect(script.presented).toEqual([]);
});

schedule("I14: the directory vanishes and comes back as it was", { kind: "file" }, async (script) => {
  const [a] = await script.signedIn();
  await script.detach(5_000);
  expect(await script.get(a)).toBe("STORE_UNAVAILABLE");
  await script.pass(5_000);
  expect(await script.get(a)).toBe("A0a2");
});

schedule("I14: the directory vanishes while a rotation is committed", { kind: "file" }, async (script) => {
  const [a] = await script.signedIn();
  const asked = a.get();
  await script.before(a, "answer to A0R1");
  await script.detach(5_000);
  await script.pass(1_000);
  expect(await script.outcome(a, asked)).toBe("A0a2");
  await script.pass(6_000);
  expect(script.stored).toBe("A0R2");
});

schedule("I14: the directory vanishes while the claim's session file is written", { kind: "file" }, async (script) => {
  const [a] = await script.signedIn();
  const asked = a.get();
  await script.before(a, "rename session.json");
  await script.detach(5_000);
  await script.pass(1_000);
  expect(await script.outcome(a, asked)).toBe("A0a2");
  await script.pass(6_000);
  expect(script.stored).toBe("A0R2");
});

schedule("I14: the directory is gone while a look goes on, and back after it", { kind: "file" }, async (script) => {
  const [a] = await script.signedIn();
  await script.detach(5_000);
  const asked = a.get();
  await script.before(a, "read session.json");
  await script.world.step(Number.POSITIVE_INFINITY);
  a.process.suspend();
  await script.pass(5_000);
  a.process.resume();
  await script.pass(1_000);
  expect(await script.outcome(a, asked)).toBe("STORE_UNAVAILABLE");
  expect(await script.get(a)).toBe("A0a2");
});

schedule("I14: the directory vanishes when a sign-in was published", { kind: "file" }, async (script) => {
  const a = script.start();
  const signed = a.signIn("A");
  await script.before(a, "syncDirectory .session.json");
  await script.detach(0, { isEmpty: true });
  await Promise.all([signed, script.pass(1_000)]);
  expect(a.error).toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(script.stored).toBeUndefined();
});

schedule("I15: the disk is full at the claim", { kind: "file" }, async (script) => {
  const [a] = await script.signedIn();
  script.files.disk.isFull = true;
  expect(await script.get(a)).toBe("STORE_UNAVAILABLE");
  expect(a.error).toMatchObject({ place: script.files.place.file, cause: { message: "ENOSPC" } });
  expect(script.presented).toEqual([]);
});

schedule("I15: the disk is full at the commit", { kind: "file" }, async (script) => {
  const [a] = await script.signedIn();
  const asked = a.get();
  await script.before(a, "answer to A0R1");
  script.files.disk.isFull = true;
  await script.pass(5_000);
  expect(await script.outcome(a, asked)).toBe("A0a2");
  expect(script.stored).toBe("A0R1");
  script.files.disk.isFull = false;
  await script.pass(2_000);
  expect(script.stored).toBe("A0R2");
  expect(script.presented).toEqual(["p0 A0R1"]);
});

schedule("I15: a published claim fails to sync, is used, and the power fails", { kind: "file" }, async (script) => {
  const [a] = await script.signedIn();
  void a.get();
  await script.before(a, "link");
  script.world.faults.plan("I/O error");
  await script.before(a, "answer to A0R1");
  await script.cutPower();
  expect(await script.get(script.start(), 60_000)).toBe("answer_lost");
  expect(script.presented).toEqual(["p0 A0R1", "p3 A0R1"]);
});

schedule("I15: the disk is full at the projection", { kind: "file" }, async (script) => {
  const a = script.start();
  const signed = a.signIn("A");
  await script.before(a, "create projection");
  script.files.disk.isFull = true;
  await Promise.all([signed, script.pass(1_000)]);
  expect([script.stored, script.files.isProjected]).toEqual(["A0R1", false]);
  script.files.disk.isFull = false;
  expect(await script.get(script.start())).toBe("A0a1");
  expect(script.files.isProjected).toBe(true);
});

schedule("I16: a machine sleeps with an exchange in flight, and wakes without a network", {}, async (script) => {
  const [a, b] = await script.signedIn();
  script.world.faults.plan("request lost");
  const [first, second] = [a.get(), b.get()];
  await script.before(b, "timer");
  for (const { process } of [a, b]) process.suspend();
  await script.pass(8 * HOURS);
  b.process.resume();
  await script.pass(11_000);
  expect(script.presented).toEqual(["p0 A0R1"]);
  a.process.resume();
  await script.pass(60_000);
  expect([await script.outcome(a, first), await script.outcome(b, second)]).toEqual([
    "REFRESH_FAILED",
    "REFRESH_FAILED",
  ]);
  script.world.faults.plan("not sent");
  expect(await script.get(a)).toBe("REFRESH_FAILED");
  await script.pass(60_000);
  expect(await script.get(b)).toBe("A0a2");
  expect(script.presented).toEqual(["p0 A0R1", "p0 A0R1", "p1 A0R1"]);
});

schedule("I16: a machine sleeps until after the answer: it is read late, and kept", {}, async (script) => {
  const [a, b] = await script.signedIn();
  const calls = [a.get(), b.get()];
  await script.before(a, "answer to A0R1");
  for (const { process } of [a, b]) process.suspend();
  await script.pass(8 * HOURS);
  for (const { process } of [a, b]) process.resume();
  await Promise.all([...calls, script.pass(60_000)]);
  expect(script.stored).toBe("A0R2");
});
