import { createTokenManager, memoryStore, TokenEndpointError } from "@unexpired/core";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { documentWith, HOUR, MemoryDocument, passing, sessionOf, startMirrors } from "./support.ts";

const later = Date.UTC(2026, 0, 1) + HOUR;
const earlier = Date.UTC(2026, 0, 1) - HOUR;
const refreshIn = (document: MemoryDocument) => document.session?.refresh;

describe("a session with copies in several documents", () => {
  it("is shown in all documents when the save has ended, and everything else in them stays", async () => {
    const { a, b, open } = startMirrors('{"theme":"dark"}', documentWith("old", earlier));
    await using tokens = open();
    await tokens.signIn(sessionOf(1, later));
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", 1), canary("refresh", 1)]);
    await tokens.refresh();
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", 101), canary("refresh", 101)]);
    expect(JSON.parse(a.text ?? "")).toMatchObject({ theme: "dark" });
    await tokens.signOut();
    expect([a.text, b.text]).toEqual(['{"theme":"dark"}', '{"theme":"dark"}']);
  });

  it("is found in any of them, and saved to the primary before it is used", async () => {
    const { a, b, issuer, open, primary } = startMirrors("{}", documentWith(1, earlier));
    const order: string[] = [];
    const { save } = primary;
    primary.save = async (value, expected) => {
      order.push(value.includes('"attempt"') ? "claimed" : "saved");
      return save(value, expected);
    };
    await using tokens = open();
    expect(await tokens.getAccessToken()).toBe(canary("access", 101));
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
    expect(order.indexOf("saved")).toBeLessThan(order.indexOf("claimed"));
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", 101), canary("refresh", 101)]);
  });

  it("is refreshed once by two processes", async () => {
    const { issuer, open } = startMirrors(documentWith(1, earlier), documentWith(1, earlier));
    await using one = open();
    await using two = open();
    expect(await Promise.all([one.getAccessToken(), two.getAccessToken()])).toEqual([
      canary("access", 101),
      canary("access", 101),
    ]);
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
  });

  it("is adopted from another program right before a claim, and the old refresh token is not sent", async () => {
    const { a, b, clock, issuer, open, primary } = startMirrors();
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    const { load } = primary;
    let loads = 0;
    primary.load = async () => {
      if (++loads === 2) b.text = documentWith(7, clock.now() + 2 * HOUR); // after the last look before the claim
      return load();
    };
    await passing(clock, tokens.refresh());
    expect(issuer.presented).toEqual([]);
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", 7), canary("refresh", 7)]);
  });

  it("outlives a verdict if another program has just put a newer one into a document", async () => {
    const { b, clock, issuer, open, openStore } = startMirrors();
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + 10));
    await clock.advance(1_000);
    const refresh = async () => {
      b.text = documentWith(7, clock.now() + HOUR);
      throw new TokenEndpointError({ error: "invalid_grant", status: 400, sent: true });
    };
    await using other = createTokenManager({ store: openStore(), refresh, clock });
    expect(await other.getAccessToken()).toBe(canary("access", 7));
    expect(issuer.presented).toEqual([]);
  });

  it("leaves all documents alone after a verdict", async () => {
    const { a, clock, openStore } = startMirrors(documentWith(1, earlier));
    const refresh = () => Promise.reject(new TokenEndpointError({ error: "invalid_grant", status: 400, sent: true }));
    await using tokens = createTokenManager({ store: openStore(), refresh, clock });
    await expect(tokens.getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    await expect(tokens.getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    expect(refreshIn(a)).toBe(canary("refresh", 1));
  });

  it("takes the session that expires last if two programs have each put one into a document", async () => {
    const { a, b, clock, issuer, open } = startMirrors();
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    a.text = documentWith("late", clock.now() + 3 * HOUR);
    b.text = documentWith("early", clock.now() + 2 * HOUR);
    await tokens.hasSession();
    expect(await tokens.getAccessToken()).toBe(canary("access", "late"));
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", "late"), canary("refresh", "late")]);
    expect(issuer.presented).toEqual([]);
  });

  it("is written over a spent refresh token that another program has put back", async () => {
    const { a, b, open } = startMirrors(documentWith(1, earlier), "{}");
    const old = a.text;
    await using tokens = open();
    await tokens.getAccessToken();
    b.text = old;
    await tokens.hasSession();
    expect(refreshIn(b)).toBe(canary("refresh", 101));
  });

  it("of another account is neither adopted nor overwritten, and reported (P14)", async () => {
    const { a, b, events, open, problems } = startMirrors(documentWith(1, later, "ada"), "{}");
    await using tokens = open();
    await tokens.getAccessToken();
    const theirs = documentWith(7, later, "bob");
    b.write(theirs);
    await tokens.hasSession();
    await tokens.refresh();
    expect(b.text).toBe(theirs);
    expect(refreshIn(a)).toBe(canary("refresh", 101));
    expect(problems()).toEqual(["1 other_account"]);
    await tokens.signOut();
    expect(b.text).toBe(theirs);
    expect(JSON.stringify(events)).not.toContain("canary");
    b.write("{}");
    await tokens.hasSession();
    expect(problems()).toEqual(["1 other_account", "1 recovered"]);
  });
});

describe("a document of a mirrored store", () => {
  it("that was emptied is left alone until it holds a session again", async () => {
    const { a, b, clock, open } = startMirrors();
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    b.write('{"theme":"dark"}');
    await clock.advance(5_000);
    await tokens.refresh();
    expect(await tokens.hasSession()).toBe(true);
    expect(refreshIn(a)).toBe(canary("refresh", 101));
    expect(b.text).toBe('{"theme":"dark"}');
    b.write(documentWith(7, clock.now() + HOUR));
    await tokens.hasSession();
    await tokens.refresh();
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", 102), canary("refresh", 102)]);
  });

  it("that is missing is not created if it has never held the session", async () => {
    const { b, clock, open } = startMirrors("{}", undefined);
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    await tokens.refresh();
    expect(b.text).toBeUndefined();
    expect(b.primary).toBeUndefined();
  });

  it("that is missing is created again if it has held the session, also after a sign-out deleted it", async () => {
    const { b, clock, open } = startMirrors();
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    b.write(undefined);
    await tokens.hasSession();
    expect(refreshIn(b)).toBe(canary("refresh", 1));
    await tokens.signOut();
    b.write(undefined);
    await tokens.signIn(sessionOf(2, clock.now() + HOUR));
    expect(refreshIn(b)).toBe(canary("refresh", 2));
  });

  it("that is unparsable is waited for, and then reported and left alone", async () => {
    const { a, b, clock, open, problems } = startMirrors(documentWith(1, later), documentWith(1, later).slice(0, 30));
    await using tokens = open();
    const before = clock.monotonic();
    expect(await passing(clock, tokens.getAccessToken())).toBe(canary("access", 1));
    expect(clock.monotonic() - before).toBeGreaterThanOrEqual(2_000);
    expect(problems()).toEqual(["1 unparsable"]);
    const torn = b.text;
    await tokens.refresh(); // waits no more
    expect(b.text).toBe(torn);
    expect(refreshIn(a)).toBe(canary("refresh", 101));
    b.write("{}");
    await tokens.hasSession();
    expect(refreshIn(b)).toBe(canary("refresh", 101));
    expect(problems()).toEqual(["1 unparsable", "1 recovered"]);
  });

  it("that is being written is waited for, because it may hold a newer session", async () => {
    const { b, clock, issuer, open } = startMirrors(documentWith(1, earlier), documentWith(7, later).slice(0, 30));
    await using tokens = open();
    const token = tokens.getAccessToken();
    await clock.advance(200);
    b.write(documentWith(7, later));
    expect(await passing(clock, token)).toBe(canary("access", 7));
    expect(issuer.presented).toEqual([]);
  });

  it("that is read-only is reported and left alone, and written once that is over", async () => {
    const { b, clock, open, problems } = startMirrors();
    await using tokens = open();
    b.onReplace = () => Promise.reject(Object.assign(new Error("EROFS"), { code: "EROFS" }));
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    await tokens.hasSession();
    await clock.advance(5_000);
    expect(b.text).toBe("{}");
    expect(problems()).toEqual(["1 read_only"]);
    b.onReplace = () => {};
    await clock.advance(60_000);
    expect(refreshIn(b)).toBe(canary("refresh", 1));
    expect(problems()).toEqual(["1 read_only", "1 recovered"]);
  });

  it("is reported to a manager that opens the store later, too", async () => {
    const { b, openStore } = startMirrors();
    b.onRead = () => Promise.reject(new Error("unreadable"));
    const store = openStore();
    await store.load();
    const locations: string[] = [];
    store.subscribe?.(({ location }) => locations.push(location));
    expect(locations).toEqual(["1"]);
  });

  it("that cannot be read is reported, and a session in another one is still found", async () => {
    const { a, clock, open, problems } = startMirrors("{}", documentWith(1, later));
    a.onRead = () => Promise.reject(new Error(`unreadable: ${canary("refresh", 9)}`));
    await using tokens = open();
    expect(await tokens.getAccessToken()).toBe(canary("access", 1));
    expect(problems()).toEqual(["0 unavailable"]);
    a.onRead = () => {};
    await clock.advance(1_000);
    await tokens.hasSession();
    expect(refreshIn(a)).toBe(canary("refresh", 1));
  });

  it("that takes long to be written holds up a save for a second, and is written in the background", async () => {
    const { b, clock, open } = startMirrors();
    await using tokens = open();
    b.onReplace = () => new Promise((resolve) => clock.setTimer(resolve, 3_000, false));
    const signedIn = tokens.signIn(sessionOf(1, clock.now() + HOUR));
    await clock.advance(0); // until it is being written
    await clock.advance(999);
    expect(clock.keepingAlive).toBe(1);
    await clock.advance(1);
    expect(await signedIn).toBe(true);
    expect(clock.keepingAlive).toBe(0);
    expect(b.text).toBe("{}");
    await clock.advance(2_000);
    expect(refreshIn(b)).toBe(canary("refresh", 1));
  });

  it("that never responds does not hold up a load for ever (P15)", async () => {
    const { a, b, clock, open, problems } = startMirrors("{}", documentWith(1, later));
    a.onRead = () => new Promise(() => {});
    await using tokens = open();
    expect(await passing(clock, tokens.getAccessToken())).toBe(canary("access", 1));
    expect(problems()).toEqual(["0 unavailable"]);
    expect(refreshIn(b)).toBe(canary("refresh", 1));
  });

  it("that a killed process did not write is repaired by the next one (P5)", async () => {
    const { a, b, clock, open } = startMirrors();
    await using first = open();
    await first.signIn(sessionOf(1, clock.now() + HOUR));
    for (const document of [a, b]) document.onReplace = () => Promise.reject(new Error("killed"));
    await first.refresh();
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", 1), canary("refresh", 1)]);
    for (const document of [a, b]) document.onReplace = () => {};
    await using next = open();
    expect(await next.getAccessToken()).toBe(canary("access", 101));
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", 101), canary("refresh", 101)]);
  });

  it("that showed the session from the beginning does not bring it back after a sign-in", async () => {
    const { a, b, clock, open, primary } = startMirrors(documentWith(1, later), documentWith(1, later));
    await using before = open(primary);
    await before.signIn(sessionOf(1, later));
    await before.close();
    await using first = open();
    await first.getAccessToken();
    for (const document of [a, b]) document.onReplace = () => Promise.reject(new Error("killed"));
    await first.signIn(sessionOf(2, clock.now() + HOUR));
    for (const document of [a, b]) document.onReplace = () => {};
    await using next = open();
    expect(await next.getAccessToken()).toBe(canary("access", 2));
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", 2), canary("refresh", 2)]);
  });

  it("is left to the process that has just saved for a quarter of a second", async () => {
    const { a, b, clock, open, openStore, primary } = startMirrors();
    const watching = openStore();
    await using first = open();
    await first.signIn(sessionOf(1, clock.now() + HOUR));
    await watching.load();
    await using saving = open(primary); // and dies before it writes the documents
    await saving.signIn(sessionOf(2, clock.now() + HOUR));
    await watching.load();
    await watching.load();
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", 1), canary("refresh", 1)]);
    await clock.advance(250);
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", 2), canary("refresh", 2)]);
  });

  it("is repaired although an earlier sign-in was shown by a program that lists fewer documents", async () => {
    const { a, b, clock, open, openStore, primary } = startMirrors();
    await using first = open();
    await first.signIn(sessionOf(1, clock.now() + HOUR));
    await first.close();
    await using other = open(openStore(primary, [a]));
    await other.signIn(sessionOf(2, clock.now() + HOUR));
    expect(refreshIn(b)).toBe(canary("refresh", 1));
    await using next = open();
    expect(await next.getAccessToken()).toBe(canary("access", 2));
    expect(refreshIn(b)).toBe(canary("refresh", 2));
  });

  it.each([
    ["sign-in", canary("refresh", 2)],
    ["sign-out", undefined],
  ])(
    "does not bring back the session that a %s replaced, if the process died before it wrote",
    async (how, expected) => {
      const { a, b, clock, open } = startMirrors();
      await using first = open();
      await first.signIn(sessionOf(1, clock.now() + HOUR));
      for (const document of [a, b]) document.onReplace = () => Promise.reject(new Error("killed"));
      if (how === "sign-in") await first.signIn(sessionOf(2, clock.now() + HOUR));
      else await first.signOut();
      for (const document of [a, b]) document.onReplace = () => {};
      await using next = open();
      expect(await next.hasSession()).toBe(expected !== undefined);
      expect([a, b].map(refreshIn)).toEqual([expected, expected]);
    },
  );
});

describe("the primary of a mirrored store", () => {
  it("has to be writable before anything is sent", async () => {
    const { issuer, open, primary } = startMirrors(documentWith(1, earlier));
    primary.save = () => Promise.reject(new Error("the disk is full"));
    await using tokens = open();
    await expect(tokens.getAccessToken()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(issuer.presented).toEqual([]);
  });

  it("is waited for until it has settled after a failover", async () => {
    const { issuer, open, primary } = startMirrors(documentWith(1, earlier));
    const presented: number[] = [];
    primary.settled = async () => {
      presented.push(issuer.presented.length);
    };
    await using tokens = open();
    await tokens.getAccessToken();
    expect(presented).toEqual([0]);
  });

  it("is the only place of claims, verdicts and versions", async () => {
    const { a, clock, open, openStore, primary } = startMirrors();
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    expect((await openStore().load())?.version).toBe((await primary.load())?.version);
    expect(Object.keys(JSON.parse(a.text ?? "") as object)).toEqual(["session"]);
  });

  it("is named in the record, which shows it to no caller that did not write it", async () => {
    const { a, b, clock, open, openStore, primary } = startMirrors();
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    const { primary: id } = JSON.parse((await primary.load())?.value ?? "") as { primary?: string };
    expect(id).toMatch(/^.{16,}$/);
    expect([a.primary, b.primary]).toEqual([id, id]);
    const stored = await openStore().load();
    expect(stored?.value).not.toContain(id);
    const changed = `${stored?.value.slice(0, -1)},"note":1}`;
    await openStore().save(changed, stored?.version);
    expect((await openStore().load())?.value).toBe(changed);
    expect(JSON.parse((await primary.load())?.value ?? "")).toMatchObject({ primary: id, note: 1 });
  });

  it("must be the same in all programs, which is checked before any claim", async () => {
    const { a, clock, issuer, open, openStore } = startMirrors();
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + 1));
    await clock.advance(1_000);
    const other = memoryStore();
    await using stranger = open(openStore(other, [a]));
    const error: unknown = await stranger.getAccessToken().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIGURATION" });
    expect(String(error)).toContain("Name the same primary");
    await expect(stranger.signIn(sessionOf(2, clock.now() + HOUR))).rejects.toMatchObject({ code: "CONFIGURATION" });
    expect(await other.load()).toBeUndefined();
    expect(issuer.presented).toEqual([]);
    expect(refreshIn(a)).toBe(canary("refresh", 1));
  });

  it("may have had a session before it had documents", async () => {
    const { a, clock, open, openStore, primary } = startMirrors();
    await using before = open(primary);
    await before.signIn(sessionOf(1, clock.now() + HOUR));
    await openStore().load();
    expect(refreshIn(a)).toBe(canary("refresh", 1));
    expect(a.primary).toBeDefined();
  });

  it("is watched together with the documents", async () => {
    const { a, b, clock, openStore, primary } = startMirrors();
    const store = openStore();
    let changes = 0;
    const stop = store.watch?.(() => changes++);
    for (const document of [a, b]) document.write('{"theme":"light"}');
    await primary.save("text", undefined);
    await clock.advance(0);
    expect(changes).toBe(3);
    stop?.();
    b.write("{}");
    expect(changes).toBe(3);
    expect(openStore({ ...primary, watch: undefined as never }).watch).toBeUndefined();
  });

  it("is removed together with what is in the documents, and can then be another one", async () => {
    const { a, b, clock, open, openStore, primary } = startMirrors('{"theme":"dark"}', "{}");
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    await openStore().remove();
    expect(await primary.load()).toBeUndefined();
    expect([a.text, b.text, a.primary, a.shown]).toEqual(['{"theme":"dark"}', "{}", undefined, undefined]);
    await using next = open(openStore(memoryStore()));
    expect(await next.signIn(sessionOf(2, clock.now() + HOUR))).toBe(true);
  });
});

it("does without notes about a document", async () => {
  const { clock, open, openStore, primary } = startMirrors();
  const item = new MemoryDocument("item", documentWith(1, earlier));
  const { format } = item;
  const document = {
    format,
    describe: item.describe,
    read: () => item.read(),
    replace: (...parameters: Parameters<MemoryDocument["replace"]>) => item.replace(...parameters),
  };
  await using tokens = open(openStore(primary, [document]));
  expect(await tokens.getAccessToken()).toBe(canary("access", 101));
  expect(refreshIn(item)).toBe(canary("refresh", 101));
  await tokens.signIn(sessionOf(2, clock.now() + HOUR));
  expect(refreshIn(item)).toBe(canary("refresh", 2));
});
