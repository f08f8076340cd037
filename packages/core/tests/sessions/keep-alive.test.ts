import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { startUsers } from "../support/users.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

const USERS = ["ada", "bob", "cyd"];

async function startIdle(options: Parameters<typeof startUsers>[0] = {}) {
  const users = startUsers({ list: () => USERS, refreshTokenLifetime: 10 * DAY, ...options });
  const { sessions } = users.open();
  for (const user of USERS) await sessions.signIn(user, users.tokens(user));
  await sessions.close();
  const exchanges = () => USERS.map((user) => users.issuer(user).presented.length);
  return { ...users, exchanges };
}

describe("keepAlive of sessions", () => {
  it("renews sessions that no caller uses before their refresh tokens expire, once for all processes", async () => {
    const { clock, exchanges, open } = await startIdle();
    const processes = [open({ keepAlive: true }), open({ keepAlive: true })];
    await clock.advance(8 * DAY - 1);
    expect(exchanges()).toEqual([0, 0, 0]);
    await clock.advance(HOUR + 1);
    expect(exchanges()).toEqual([1, 1, 1]);
    await clock.advance(8 * DAY);
    expect(exchanges()).toEqual([2, 2, 2]);
    expect(processes.map(({ sessions }) => sessions.size)).toEqual([0, 0]);
    expect(await processes[0]?.sessions.get("ada").getAccessToken()).toBe(canary("access", 3));
    expect(clock.keepingAlive).toBe(0);
  });

  it("looks at no more than perSecond sessions in a second, one after the other", async () => {
    const { clock, opened, open } = await startIdle();
    opened.length = 0;
    open({ keepAlive: { interval: 10 * SECOND, perSecond: 0.5 } });
    await clock.advance(10 * SECOND + 2 * SECOND - 1);
    const first = opened.length;
    expect(first).toBeGreaterThan(0);
    await clock.advance(2 * SECOND);
    expect(opened.length - first).toBe(1);
  });

  it("goes on after a session, or the list, has failed", async () => {
    const list = async function* () {
      yield* ["ada", "bob"];
      throw new Error("the database went away");
    };
    const { clock, exchanges, open, storeOf } = await startIdle({ list });
    storeOf("ada").load = async () => {
      throw new Error("unreadable");
    };
    const { events } = open({ keepAlive: true });
    await clock.advance(9 * DAY);
    expect(exchanges()).toEqual([0, 1, 0]);
    expect(events).toContainEqual({ type: "keep-alive-failed", message: "the database went away" });
  });

  it("leaves sessions alone that are in use, have ended, or whose refresh tokens do not expire", async () => {
    const { clock, exchanges, open } = await startIdle({ refreshTokenLifetime: undefined });
    const { sessions } = open({ keepAlive: true });
    await sessions.signOut("ada");
    await clock.advance(12 * DAY);
    expect(exchanges()).toEqual([0, 0, 0]);
  });

  it("stops when the sessions are closed", async () => {
    const { clock, exchanges, open } = await startIdle();
    const { sessions } = open({ keepAlive: true });
    await sessions.close();
    await clock.advance(9 * DAY);
    expect(exchanges()).toEqual([0, 0, 0]);
  });
});
