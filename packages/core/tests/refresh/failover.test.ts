import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import type { SessionEvent, TokenManager, TokenManagerOptions } from "../../src/index.ts";
import { startCluster } from "../support/cluster.ts";
import { gate } from "../support/interference.ts";
import { startSession, typesOf } from "../support/session.ts";

const HOUR = 3_600_000;
const OTHER = { accessToken: canary("access", "other"), refreshToken: canary("refresh", "other") };

/** Two processes, the first of which has signed in, with an access token that expires in so many milliseconds. */
async function startProcesses(left = HOUR, options: TokenManagerOptions = {}) {
  const cluster = startCluster();
  const [a, b] = [cluster.connect(), cluster.connect()];
  const session = startSession({ store: a.store, background: false, ...options });
  const first = await session.signIn(left);
  const events: SessionEvent[] = [];
  const second = session.open({ store: b.store });
  second.subscribe((event) => events.push(event));
  await second.hasSession();
  return { ...session, ...cluster, a, b, first, second, eventsOfSecond: events };
}

/** Lets a process see what the other one has stored. */
const look = (manager: TokenManager) => manager.hasSession();

describe("a failover that loses", () => {
  it("a commit is undone at the reconnect, before the token is due (I24)", async () => {
    const { a, failOver, first, issuer, record, events } = await startProcesses(0);
    await first.getAccessToken();
    failOver(1);
    expect(record()?.tokens?.refreshToken).toBe(canary("refresh", 1));
    a.reconnect();
    await settle();
    expect(record()?.tokens?.refreshToken).toBe(canary("refresh", 2));
    expect(record()?.spent).toHaveLength(1);
    expect(typesOf(events)).toContain("session-restored");
    expect(issuer.presented).toHaveLength(1);
  });

  it("the sign-in, a claim and a commit is undone by a process that knows only the commit (I24)", async () => {
    const { b, failOver, first, issuer, record, second } = await startProcesses(0);
    await first.signIn(OTHER);
    issuer.next(() => ({ access_token: canary("access", "next"), refresh_token: canary("refresh", "next") }), {
      before: true,
    });
    await first.refresh();
    await look(second);
    await first.close();
    failOver(3);
    b.reconnect();
    await settle();
    expect(record()?.tokens?.refreshToken).toBe(canary("refresh", "next"));
  });

  it("a claim is undone, so that another process does not present the token, too (P1, I24)", async () => {
    const { a, clock, failOver, first, issuer, second } = await startProcesses(0);
    const response = gate<void>();
    issuer.next((rotated) => response.promise.then(() => rotated));
    const refreshed = first.getAccessToken();
    await settle();
    failOver(1);
    a.reconnect();
    await settle();
    const waiting = second.getAccessToken();
    await clock.advance(1_000);
    expect(issuer.presented).toHaveLength(1);
    response.open();
    await clock.advance(1_000);
    expect(await Promise.all([refreshed, waiting])).toEqual([canary("access", 2), canary("access", 2)]);
  });

  it("a sign-out is undone, and the session does not come back (P3, I25)", async () => {
    const { a, failOver, first, record, second } = await startProcesses();
    await first.signOut({ revoke: false });
    failOver(1);
    a.reconnect();
    await settle();
    expect(record()?.dead?.reason).toBe("signed_out");
    expect(await look(second)).toBe(false);
    await expect(first.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });

  it("a verdict is undone, and its token is not presented again (I25)", async () => {
    const { a, failOver, first, issuer, record, second } = await startProcesses(0);
    issuer.isRevoked = true;
    await expect(first.getAccessToken()).rejects.toMatchObject({ reason: "session_expired" });
    failOver(1);
    a.reconnect();
    await settle();
    expect(record()?.dead?.reason).toBe("session_expired");
    await expect(second.getAccessToken()).rejects.toMatchObject({ reason: "session_expired" });
    expect(issuer.presented).toHaveLength(1);
  });

  it("everything leaves the store empty, as `remove` does", async () => {
    const { a, failOver, first, record } = await startProcesses();
    failOver(1);
    a.reconnect();
    await settle();
    expect(record()).toBeUndefined();
    await expect(first.getAccessToken()).rejects.toMatchObject({ reason: "no_session" });
  });

  it("what no living process knows is not noticed: the older token is presented once more", async () => {
    const { connect, failOver, first, second, issuer, open } = await startProcesses(0);
    await second.close();
    await first.getAccessToken();
    await first.close();
    failOver(2);
    const third = open({ store: connect().store });
    await expect(third.getAccessToken()).rejects.toMatchObject({ reason: "session_expired" });
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 1)]);
  });
});

describe("a failover after which another process has saved first", () => {
  it("does not undo a sign-out, which is saved again over the session (P3, I25)", async () => {
    const { a, failOver, first, record, second } = await startProcesses(0);
    await first.signOut({ revoke: false });
    failOver(1);
    await second.getAccessToken(); // refreshes what is back
    a.reconnect();
    await settle();
    expect(record()?.dead?.reason).toBe("signed_out");
    expect(record()?.tokens).toBeUndefined();
    expect(await look(second)).toBe(false);
  });

  it("lets a sign-out win over the session that it has undone (P3)", async () => {
    const { a, failOver, first, record, second } = await startProcesses(0);
    await first.getAccessToken();
    failOver(2);
    await second.signOut({ revoke: false });
    a.reconnect();
    await settle();
    expect(record()?.dead?.reason).toBe("signed_out");
  });

  it("lets a new sign-in win over the session that it has undone", async () => {
    const { a, failOver, first, record, second } = await startProcesses(0);
    await first.getAccessToken();
    failOver(2);
    await second.signIn(OTHER);
    a.reconnect();
    await settle();
    expect(record()?.tokens?.refreshToken).toBe(OTHER.refreshToken);
  });

  it("undoes neither a commit nor a sign-in (I24)", async () => {
    const { a, failOver, first, record, second } = await startProcesses();
    await first.signIn(OTHER);
    failOver(1);
    await second.refresh();
    a.reconnect();
    await settle();
    expect(record()?.tokens?.refreshToken).toBe(OTHER.refreshToken);
  });

  it("keeps the claim of an exchange in flight (P1, I24)", async () => {
    const { a, b, failOver, first, issuer, record, second } = await startProcesses(0);
    issuer.next(() => new Promise(() => {}));
    await second.signIn({ ...issuer.tokens(), expiresAt: 0 });
    await look(first);
    void first.getAccessToken().catch(() => {});
    await settle();
    const claim = record()?.attempt?.id;
    failOver(2); // the claim, and what the second process knows
    b.reconnect();
    await settle();
    expect(record()?.attempt).toBeUndefined();
    a.reconnect();
    await settle();
    expect(record()?.attempt?.id).toBe(claim);
  });

  it("drops the tokens that arrive after a sign-out that it has undone (P3, I25)", async () => {
    const { clock, failOver, first, issuer } = await startProcesses(0);
    const response = gate<void>();
    issuer.next((rotated) => response.promise.then(() => rotated));
    const refreshed = first.getAccessToken().catch((error: unknown) => error);
    await settle();
    await first.signOut({ revoke: false });
    failOver(1);
    response.open();
    await clock.advance(1_000);
    expect(await refreshed).toMatchObject({ reason: "signed_out" });
    await expect(first.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });
});

describe("a store that says when it has settled", () => {
  it("is asked before a claim, and what was restored in between is used (P1, I26)", async () => {
    const { a, b, clock, failOver, first, issuer, second } = await startProcesses(0);
    const settled = gate<void>();
    Object.assign(b.store, { settled: () => settled.promise });
    await first.getAccessToken();
    failOver(2);
    const waiting = second.getAccessToken();
    await settle();
    a.reconnect();
    await settle();
    settled.open();
    await clock.advance(100); // after a conflict, it waits for a moment
    expect(await waiting).toBe(canary("access", 2));
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
  });

  it.each<[string, () => Promise<void>]>([
    ["rejects", () => Promise.reject(new Error(canary("access", 1)))],
    ["never settles", () => new Promise(() => {})],
    [
      "throws",
      () => {
        throw new Error("no promise");
      },
    ],
  ])("is not waited for longer than 10 seconds if it %s (P15)", async (_name, settled) => {
    const { b, clock, second } = await startProcesses(0);
    Object.assign(b.store, { settled });
    const waiting = second.getAccessToken();
    await clock.advance(10_000);
    expect(await waiting).toBe(canary("access", 2));
  });
});
