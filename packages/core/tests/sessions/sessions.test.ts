import { inspect } from "node:util";
import { CANARY, canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { createFetch, createSessions, memoryStore, type SessionsOptions } from "../../src/index.ts";
import { disk, gate } from "../support/interference.ts";
import { startUsers } from "../support/users.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

describe("createSessions", () => {
  it("keeps the session of each user under a key", async () => {
    const { open, tokens } = startUsers();
    const { sessions } = open();
    expect(await sessions.signIn("ada", tokens("ada"))).toBe(true);
    const bob = sessions.get("bob");
    expect(await bob.hasSession()).toBe(false);
    await bob.signIn({ accessToken: canary("access", "bob") });
    expect(await sessions.get("ada").getAccessToken()).toBe(canary("access", 1));
    expect(await open().sessions.get("bob").getAccessToken()).toBe(canary("access", "bob"));
    await sessions.signOut("ada");
    await expect(sessions.get("ada").getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
    expect(await bob.getAccessToken()).toBe(canary("access", "bob"));
  });

  it("offers everything of a token manager for each session", async () => {
    const { open, issuer, tokens } = startUsers();
    const { sessions } = open();
    const ada = sessions.get("ada");
    expect(await ada.adopt(tokens("ada"))).toBe(true);
    expect(await ada.signInWith(async () => tokens("ada"))).toBe(false);
    expect((await ada.peek())?.renewable).toBe(true);
    expect((await ada.refresh()).accessToken).toBe(canary("access", 2));
    expect(await ada.replaceRejected(canary("access", 1))).toBe(canary("access", 2));
    expect((await ada.getTokenSet()).accessToken).toBe(canary("access", 2));
    expect(ada.state).toMatchObject({ status: "valid" });
    expect(ada.source?.()).toBe("The memory store");
    expect(await ada.signOut()).toEqual({ revoked: true });
    expect(issuer("ada").presented).toHaveLength(1);
    const request = createFetch(ada, { origins: ["https://api.example"], fetch: async () => new Response() });
    await expect(request("https://api.example")).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
  });

  it("opens one manager for a session, however many callers ask for it", async () => {
    const { open, opened, issuer, tokens } = startUsers();
    const { sessions } = open();
    await sessions.signIn("ada", tokens("ada", -1));
    const given = await Promise.all(Array.from({ length: 20 }, () => sessions.get("ada").getAccessToken()));
    expect(new Set(given)).toEqual(new Set([canary("access", 2)]));
    expect(issuer("ada").presented).toHaveLength(1);
    expect(opened).toEqual(["ada"]);
    expect(sessions.size).toBe(1);
  });

  it("lists the keys that the store knows", async () => {
    const keys = ["ada", "bob"];
    const { sessions } = startUsers({ list: () => keys }).open();
    const listed: string[] = [];
    for await (const key of sessions.list()) listed.push(key);
    expect(listed).toEqual(keys);
    const { sessions: others } = startUsers().open();
    await expect(others.list()[Symbol.asyncIterator]().next()).rejects.toThrow("no option list");
  });

  it("shows no token when it is printed", async () => {
    const { open, tokens } = startUsers();
    const { sessions, events } = open();
    await sessions.signIn("ada", tokens("ada", -1));
    await sessions.get("ada").getAccessToken();
    expect(inspect([sessions, sessions.get("ada"), events], { depth: null, showHidden: true })).not.toContain(CANARY);
  });

  it.each([
    [{ store: undefined }, "store: expected a function"],
    [{ maxLive: 0 }, "maxLive: expected a number above 0"],
    [{ idleTimeout: -1 }, "idleTimeout: expected milliseconds above 0"],
    [{ keepAlive: { perSecond: 0 } }, "keepAlive"],
    [{ keepAlive: true }, "keepAlive: needs the option list"],
    [{ refreshWindow: "5m" }, "refreshWindow: expected milliseconds"],
    [{ stores: {} }, 'unknown option "stores"'],
  ])("rejects the option %o", (options, message) => {
    const given = { store: () => memoryStore(), ...options } as unknown as SessionsOptions;
    expect(() => createSessions(given)).toThrow(message);
  });

  it("rejects what is no key, no store and no listener", async () => {
    const { sessions } = startUsers({ store: () => ({}) as never }).open();
    expect(() => sessions.get("")).toThrow("key: expected a non-empty string");
    await expect(sessions.signIn(undefined as never, { accessToken: "a" })).rejects.toThrow("key: expected");
    await expect(sessions.get("ada").getAccessToken()).rejects.toThrow("store(key).load: invalid");
    expect(() => sessions.subscribe(undefined as never)).toThrow("listener: expected a function");
    expect(() => sessions.get("ada").subscribe(undefined as never)).toThrow("listener: expected a function");
  });
});

describe("idle sessions", () => {
  it("closes a session that was not used for idleTimeout, and opens it again", async () => {
    const { clock, open, opened, watching, tokens } = startUsers({ idleTimeout: 60 * SECOND });
    const { sessions } = open();
    const ada = sessions.get("ada");
    await ada.signIn(tokens("ada"));
    await clock.advance(30 * SECOND);
    await ada.getAccessToken();
    await clock.advance(59 * SECOND);
    expect([sessions.size, [...watching]]).toEqual([1, ["ada"]]);
    await clock.advance(61 * SECOND);
    expect([sessions.size, [...watching], ada.state]).toEqual([0, [], undefined]);
    expect(await ada.getAccessToken()).toBe(canary("access", 1));
    expect(opened).toEqual(["ada", "ada"]);
  });

  it("has one timer for all sessions, which keeps no process alive", async () => {
    const { clock, open, tokens } = startUsers();
    const delays: number[] = [];
    const { setTimer } = clock;
    clock.setTimer = (callback, delay, keepAlive) => {
      delays.push(keepAlive ? Number.NaN : delay);
      return setTimer(callback, delay, keepAlive);
    };
    const { sessions } = open();
    for (const user of ["ada", "bob", "cyd"]) await sessions.signIn(user, tokens(user));
    for (const user of ["ada", "bob", "cyd"]) await sessions.get(user).getAccessToken();
    expect(delays.filter((delay) => delay > 30 * SECOND)).toEqual([300 * SECOND]);
    expect(clock.keepingAlive).toBe(0);
    await clock.advance(HOUR);
    expect(sessions.size).toBe(0);
  });

  it("closes those that were not used for the longest time, above maxLive", async () => {
    const { open, tokens } = startUsers({ maxLive: 2 });
    const { sessions } = open();
    for (const user of ["ada", "bob"]) await sessions.signIn(user, tokens(user));
    await sessions.get("ada").getAccessToken();
    await sessions.signIn("cyd", tokens("cyd"));
    expect(sessions.size).toBe(2);
    expect(["ada", "bob", "cyd"].filter((user) => sessions.get(user).state !== undefined)).toEqual(["ada", "cyd"]);
  });

  it("never closes a session under a call", async () => {
    const { clock, issuer, open, tokens } = startUsers({ idleTimeout: 10 * SECOND, maxLive: 1 });
    const { sessions } = open();
    await sessions.signIn("ada", tokens("ada", -1));
    const { promise, open: respond } = gate<void>();
    issuer("ada").next((response) => promise.then(() => response));
    const token = sessions.get("ada").getAccessToken();
    await sessions.signIn("bob", tokens("bob"));
    await clock.advance(20 * SECOND);
    respond();
    expect(await token).toBe(canary("access", 2));
    expect(issuer("ada").presented).toHaveLength(1);
  });

  it("never closes a session whose background refresh is running", async () => {
    const { clock, issuer, open, tokens } = startUsers({ idleTimeout: 10 * SECOND });
    const { sessions } = open();
    await sessions.signIn("ada", { ...tokens("ada", HOUR), expiresAt: clock.now() + 25 * SECOND });
    await clock.advance(21 * SECOND); // closed, and within the refresh window
    const { promise, open: respond } = gate<void>();
    issuer("ada").next((response) => promise.then(() => response));
    expect(await sessions.get("ada").getAccessToken()).toBe(canary("access", 1));
    await clock.advance(25 * SECOND);
    expect(sessions.size).toBe(1);
    respond();
    await clock.advance(20 * SECOND);
    expect(sessions.size).toBe(0);
    expect(await sessions.get("ada").getAccessToken()).toBe(canary("access", 2));
  });

  it("keeps a session in memory whose tokens the store refuses", async () => {
    const { clock, open, storeOf, tokens } = startUsers({ idleTimeout: 10 * SECOND });
    const { sessions } = open();
    await sessions.signIn("ada", tokens("ada", -1));
    const store = storeOf("ada");
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => {
      if (++saves > 1) throw disk;
      return save(value, expected);
    };
    expect(await sessions.get("ada").getAccessToken()).toBe(canary("access", 2));
    await clock.advance(60 * SECOND);
    expect(sessions.size).toBe(1);
    store.save = save;
    await clock.advance(60 * SECOND);
    expect(sessions.size).toBe(0);
    expect(await open().sessions.get("ada").getAccessToken()).toBe(canary("access", 2));
  });
});

describe("events", () => {
  it("names the session of each event, and passes its own to the listeners of a session, also after it was idle", async () => {
    const { clock, open, tokens } = startUsers();
    const { sessions, events } = open();
    const ofAda: string[] = [];
    const stop = sessions.get("ada").subscribe(({ type }) => ofAda.push(type));
    await sessions.signIn("ada", tokens("ada"));
    await sessions.signIn("bob", tokens("bob"));
    await clock.advance(2 * HOUR);
    await sessions.get("ada").getAccessToken();
    expect(ofAda).toContain("refreshed");
    const refreshed = events.filter(({ type }) => type === "refreshed");
    expect(refreshed).toMatchObject([{ type: "refreshed", key: "ada" }]);
    stop();
    const before = ofAda.length;
    await sessions.signOut("ada");
    expect(ofAda).toHaveLength(before);
  });

  it("announces a failure once in each process, and the recovery", async () => {
    const { issuer, open, tokens } = startUsers();
    const [one, other] = [open(), open()];
    await one.sessions.signIn("ada", tokens("ada"));
    await other.sessions.get("ada").getAccessToken();
    issuer("ada").isRevoked = true;
    for (const { sessions } of [one, other])
      for (let call = 0; call < 2; call++)
        await sessions
          .get("ada")
          .refresh()
          .catch(() => {});
    const failures = [one, other].map(({ events }) => events.filter(({ type }) => type === "session-failed"));
    const expected = {
      type: "session-failed",
      key: "ada",
      reason: "session_expired",
      cause: { error: "invalid_grant" },
    };
    expect(failures).toMatchObject([[expected], [expected]]);
    expect(failures[0]).toEqual(failures[1]);
    issuer("ada").isRevoked = false;
    await one.sessions.signIn("ada", tokens("ada"));
    await other.sessions.get("ada").getAccessToken();
    for (const { events } of [one, other])
      expect(events.filter(({ type }) => type === "session-recovered")).toMatchObject([{ key: "ada" }]);
  });

  it("does not announce as a failure that a session was signed out, was missing or had failed before", async () => {
    const { issuer, open, tokens } = startUsers();
    const { sessions, events } = open();
    await sessions
      .get("ada")
      .getAccessToken()
      .catch(() => {});
    await sessions.signIn("ada", tokens("ada"));
    await sessions.signOut("ada");
    await sessions.signIn("ada", tokens("ada"));
    expect(events.filter(({ type }) => /^session-(failed|recovered)$/.test(type))).toEqual([]);
    issuer("ada").isRevoked = true;
    await sessions
      .get("ada")
      .refresh()
      .catch(() => {});
    const later = open();
    await later.sessions.get("ada").hasSession();
    expect(later.events.filter(({ type }) => type === "session-failed")).toEqual([]);
    issuer("ada").isRevoked = false;
    await later.sessions.signIn("ada", tokens("ada"));
    expect(later.events.filter(({ type }) => type === "session-recovered")).toHaveLength(1);
  });
});

describe("close", () => {
  it("waits for exchanges, and rejects later calls", async () => {
    const { issuer, open, tokens } = startUsers();
    const { sessions } = open();
    await sessions.signIn("ada", tokens("ada", -1));
    const { promise, open: respond } = gate<void>();
    issuer("ada").next((response) => promise.then(() => response));
    const ada = sessions.get("ada");
    const token = ada.getAccessToken();
    const closed = sessions.close();
    respond();
    await closed;
    expect(await token).toBe(canary("access", 2));
    await expect(ada.getAccessToken()).rejects.toThrow("These sessions are closed.");
    await expect(sessions.signIn("bob", tokens("bob"))).rejects.toThrow(TypeError);
    expect(await open().sessions.get("ada").getAccessToken()).toBe(canary("access", 2));
  });

  it("rejects if the store refuses the tokens of a session", async () => {
    const { clock, open, storeOf, tokens } = startUsers();
    const { sessions } = open();
    const users = ["ada", "bob"];
    for (const user of users) await sessions.signIn(user, tokens(user, -1));
    for (const user of users) {
      const store = storeOf(user);
      const { save } = store;
      let saves = 0;
      store.save = async (...given) => {
        if (++saves > 1) throw disk;
        return save(...given);
      };
    }
    const later = open().sessions;
    await Promise.all(users.map((user) => later.get(user).getAccessToken()));
    const closed = later.close().catch((error: unknown) => error);
    await clock.advance(60 * SECOND);
    expect(await closed).toMatchObject({
      message: "The refreshed tokens of 2 sessions were not saved.",
      errors: [{ code: "STORE_UNAVAILABLE" }, { code: "STORE_UNAVAILABLE" }],
    });
  });
});
