import { expect } from "vitest";
import { schedule } from "./script.ts";

/** A system on which no process can tell that another one is alive: after the lease, it takes over. */
const UNSEEN = { platform: "darwin" } as const;
const HOURS = 3_600_000;

schedule(
  "I1: adopts the rotation of another process if suspended before sending, past its lease",
  UNSEEN,
  async (script) => {
    const [a, b] = await script.signedIn();
    const late = a.get();
    await script.before(a, "send A0R1");
    a.process.suspend();
    expect(await script.get(b, 15_000)).toBe("A0a2");
    a.process.resume();
    await script.pass(1_000);
    expect(await script.outcome(a, late)).toBe("A0a2");
    expect(script.presented).toEqual(["p0 A0R1", "p1 A0R1"]);
    expect(script.stored).toBe("A0R2");
  },
);

schedule(
  "I3: recovers within the grace period if the holder dies before it reads the response",
  { graceSeconds: 30 },
  async (script) => {
    const [a, b] = await script.signedIn(5_000);
    void a.get();
    await script.before(a, "response to A0R1");
    a.process.kill();
    expect(await script.get(b)).toBe("A0a1");
    expect(script.presented).toEqual(["p0 A0R1", "p1 A0R1"]);
    expect(script.stored).toBe("A0R2");
    expect(await script.get(b)).toBe("A0a3");
  },
);

schedule("I3: ends the session without grace if the holder dies before it reads the response", {}, async (script) => {
  const [a, b] = await script.signedIn(5_000);
  void a.get();
  await script.before(a, "response to A0R1");
  a.process.kill();
  for (let second = 0; second < 5; second++) expect(await script.get(b)).toBe("A0a1");
  expect(script.presented).toEqual(["p0 A0R1"]);
  expect(await script.get(b)).toBe("response_lost");
  expect(script.presented).toEqual(["p0 A0R1", "p1 A0R1"]);
  expect(script.stored).toBe("response_lost");
});

schedule(
  "I5: commits over the verdict of another process if stalled before its commit",
  { ...UNSEEN, kind: "file" },
  async (script) => {
    const [a, b] = await script.signedIn();
    const late = a.get();
    await script.before(a, "response to A0R1");
    await script.before(a, "stat");
    a.process.suspend();
    expect(await script.get(b, 15_000)).toBe("response_lost");
    expect(script.stored).toBe("response_lost");
    a.process.resume();
    await script.pass(1_000);
    expect(await script.outcome(a, late)).toBe("A0a2");
    expect(script.stored).toBe("A0R2");
    expect(await script.get(b)).toBe("A0a2");
  },
);

schedule("I7: waits for the lease if the holder died on another machine", { machines: 2 }, async (script) => {
  const [a, b] = await script.signedIn();
  void a.get();
  await script.before(a, "send A0R1");
  a.process.kill();
  const waiting = b.get();
  await script.pass(13_000);
  expect(script.presented).toEqual(["p0 A0R1"]);
  await script.pass(2_000);
  expect(await script.outcome(b, waiting)).toBe("A0a2");
});

schedule("I7: takes over at once if the holder died on the same machine", { machines: 2 }, async (script) => {
  const [a, , b] = await script.signedIn();
  void a.get();
  await script.before(a, "send A0R1");
  a.process.kill();
  expect(await script.get(b, 10)).toBe("A0a2");
});

schedule(
  "I9: restores R2 if another program writes R1 over it in the session file",
  { kind: "file" },
  async (script) => {
    const [a, b] = await script.signedIn();
    expect(await script.get(a)).toBe("A0a2");
    const { disk, paths } = script.files;
    disk.put(paths.file, `${script.world.invariants.records.history[0]}\n`);
    expect(await script.get(b)).toBe("A0a2");
    expect(script.files.isProjected).toBe(true);
    await script.pass(60_000);
    expect(await script.get(b)).toBe("A0a3");
    expect(script.presented).toEqual(["p0 A0R1", "p1 A0R2"]);
  },
);

schedule("sends once if two processes draw the same ID for their claims", { sameIds: true }, async (script) => {
  const [a, b] = await script.signedIn();
  const asked = b.get();
  expect(await script.get(a)).toBe("A0a2");
  expect(await script.outcome(b, asked)).toBe("A0a2");
  expect(script.presented).toEqual(["p0 A0R1"]);
});

schedule("I12: sends once if the outcome of the claim's save is unknown and it was saved", {}, async (script) => {
  const [a] = await script.signedIn();
  script.world.faults.plan("outcome unknown: saved");
  expect(await script.get(a)).toBe("A0a2");
  expect(script.presented).toEqual(["p0 A0R1"]);
});

schedule(
  "I12: sends nothing if the outcome of the claim's save is unknown and it was not saved",
  {},
  async (script) => {
    const [a] = await script.signedIn();
    script.world.faults.plan("outcome unknown: not saved");
    expect(await script.get(a)).toBe("STORE_UNAVAILABLE");
    expect(script.presented).toEqual([]);
    expect(await script.get(a)).toBe("A0a2");
  },
);

for (const outcome of ["saved", "not saved"] as const) {
  schedule(
    `I12: stores the rotation if the outcome of its save is unknown and it was ${outcome}`,
    {},
    async (script) => {
      const [a, b] = await script.signedIn();
      const asked = a.get();
      await script.before(a, "response to A0R1");
      script.world.faults.plan(`outcome unknown: ${outcome}`);
      await script.pass(2_000);
      expect(await script.outcome(a, asked)).toBe("A0a2");
      expect(script.stored).toBe("A0R2");
      expect(await script.get(b)).toBe("A0a2");
      expect(script.presented).toEqual(["p0 A0R1"]);
    },
  );
}

schedule(
  "I14: reports an unavailable store if the directory vanishes and comes back empty",
  { kind: "file" },
  async (script) => {
    const [a] = await script.signedIn();
    await script.detach(5_000, { isEmpty: true });
    expect(await script.get(a)).toBe("STORE_UNAVAILABLE");
    await script.pass(5_000);
    expect(await script.get(a)).toBe("STORE_UNAVAILABLE");
    expect(await script.get(script.start())).toBe("no_session");
    expect(script.presented).toEqual([]);
  },
);

schedule("I14: goes on if the directory vanishes and comes back as it was", { kind: "file" }, async (script) => {
  const [a] = await script.signedIn();
  await script.detach(5_000);
  expect(await script.get(a)).toBe("STORE_UNAVAILABLE");
  await script.pass(5_000);
  expect(await script.get(a)).toBe("A0a2");
});

schedule(
  "I14: stores a rotation later if the directory vanishes during its commit",
  { kind: "file" },
  async (script) => {
    const [a] = await script.signedIn();
    const asked = a.get();
    await script.before(a, "response to A0R1");
    await script.detach(5_000);
    await script.pass(1_000);
    expect(await script.outcome(a, asked)).toBe("A0a2");
    await script.pass(6_000);
    expect(script.stored).toBe("A0R2");
  },
);

schedule(
  "I14: stores a rotation later if the directory vanishes while the claim's session file is written",
  { kind: "file" },
  async (script) => {
    const [a] = await script.signedIn();
    const asked = a.get();
    await script.before(a, "rename session.json");
    await script.detach(5_000);
    await script.pass(1_000);
    expect(await script.outcome(a, asked)).toBe("A0a2");
    await script.pass(6_000);
    expect(script.stored).toBe("A0R2");
  },
);

schedule(
  "I14: reports an unavailable store if the directory is missing only during a load",
  { kind: "file" },
  async (script) => {
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
  },
);

schedule(
  "I14: fails a sign-in if the directory vanishes right after its publication",
  { kind: "file" },
  async (script) => {
    const a = script.start();
    const signed = a.signIn("A");
    await script.before(a, "syncDirectory .session.json");
    await script.detach(0, { isEmpty: true });
    await Promise.all([signed, script.pass(1_000)]);
    expect(a.error).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(script.stored).toBeUndefined();
  },
);

schedule("I15: sends nothing if the disk is full at the claim", { kind: "file" }, async (script) => {
  const [a] = await script.signedIn();
  script.files.disk.isFull = true;
  expect(await script.get(a)).toBe("STORE_UNAVAILABLE");
  expect(a.error).toMatchObject({ location: script.files.paths.file, cause: { message: "ENOSPC" } });
  expect(script.presented).toEqual([]);
});

schedule(
  "I15: uses the tokens and stores them later if the disk is full at the commit",
  { kind: "file" },
  async (script) => {
    const [a] = await script.signedIn();
    const asked = a.get();
    await script.before(a, "response to A0R1");
    script.files.disk.isFull = true;
    await script.pass(5_000);
    expect(await script.outcome(a, asked)).toBe("A0a2");
    expect(script.stored).toBe("A0R1");
    script.files.disk.isFull = false;
    await script.pass(2_000);
    expect(script.stored).toBe("A0R2");
    expect(script.presented).toEqual(["p0 A0R1"]);
  },
);

schedule(
  "I15: presents the token once more if a claim in use was not synced and the power fails",
  { kind: "file" },
  async (script) => {
    const [a] = await script.signedIn();
    void a.get();
    await script.before(a, "link");
    script.world.faults.plan("I/O error");
    await script.before(a, "response to A0R1");
    await script.cutPower();
    expect(await script.get(script.start(), 60_000)).toBe("response_lost");
    expect(script.presented).toEqual(["p0 A0R1", "p3 A0R1"]);
  },
);

schedule(
  "I15: repairs the session file later if the disk is full at the projection",
  { kind: "file" },
  async (script) => {
    const a = script.start();
    const signed = a.signIn("A");
    await script.before(a, "create projection");
    script.files.disk.isFull = true;
    await Promise.all([signed, script.pass(1_000)]);
    expect([script.stored, script.files.isProjected]).toEqual(["A0R1", false]);
    script.files.disk.isFull = false;
    expect(await script.get(script.start())).toBe("A0a1");
    expect(script.files.isProjected).toBe(true);
  },
);

schedule(
  "I16: recovers if a machine sleeps with an exchange in flight and wakes without a network",
  {},
  async (script) => {
    const [a, b] = await script.signedIn();
    script.world.faults.plan("request lost");
    const [first, second] = [a.get(), b.get()];
    await script.before(b, "timer of 5 ms");
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
  },
);

schedule("I16: stores a response that is read late because the machine was asleep", {}, async (script) => {
  const [a, b] = await script.signedIn();
  const calls = [a.get(), b.get()];
  await script.before(a, "response to A0R1");
  for (const { process } of [a, b]) process.suspend();
  await script.pass(8 * HOURS);
  for (const { process } of [a, b]) process.resume();
  await Promise.all([...calls, script.pass(60_000)]);
  expect(script.presented).toEqual(["p0 A0R1", "p0 A0R2"]); // the access token has expired in the meantime
});
