import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { documentWith, HOUR, type MemoryDocument, sessionOf, startMirrors } from "./support.ts";

const start = Date.UTC(2026, 0, 1);
const refreshIn = (document: MemoryDocument) => document.session?.refresh;

/** Makes the place of a document read-only, so that nothing can be noted about it either. */
function makeReadOnly(document: MemoryDocument): void {
  const reject = () => Promise.reject(Object.assign(new Error("EROFS"), { code: "EROFS" }));
  document.onReplace = reject;
  Object.assign(document.notes, { setShown: reject, claim: reject });
}

describe("an old copy of the session", () => {
  it("in a read-only place is not presented by the next process", async () => {
    const { b, issuer, open } = startMirrors(documentWith(5, start + 2 * HOUR), documentWith(4, start + HOUR));
    makeReadOnly(b);
    await using first = open();
    expect(await first.getAccessToken()).toBe(canary("access", 5));
    await using second = open();
    expect(await second.getAccessToken()).toBe(canary("access", 5));
    await second.refresh();
    expect(issuer.presented).toEqual([canary("refresh", 5)]);
    await second.signOut();
    await using third = open();
    expect(await third.hasSession()).toBe(false);
  });

  it("is spent from the save on that adopts the latest one, so that a process that dies after it loses nothing", async () => {
    const { a, open, openStore, primary } = startMirrors(
      documentWith(5, start + 2 * HOUR),
      documentWith(4, start + HOUR),
    );
    const save = async (value: string, expected: string | undefined) => {
      await primary.save(value, expected);
      throw new Error("killed");
    };
    await expect(openStore({ ...primary, save }).load()).rejects.toThrow("killed");
    await using one = open(openStore(primary, [a]));
    await one.signOut();
    await using next = open();
    expect(await next.hasSession()).toBe(false);
  });

  it("in a document that is listed later is neither adopted nor presented", async () => {
    const { a, b, clock, issuer, open, openStore, primary } = startMirrors(
      documentWith(4, start + HOUR),
      documentWith(3, start + HOUR - 1),
    );
    await using one = open(openStore(primary, [a]));
    await one.refresh();
    await clock.advance(60_000);
    await one.refresh();
    await using two = open();
    expect(await two.getAccessToken()).toBe(canary("access", 102));
    expect(refreshIn(b)).toBe(canary("refresh", 102));
    await two.refresh();
    expect(issuer.presented).toEqual([4, 101, 102].map((number) => canary("refresh", number)));
  });

  it.each([
    ["does not expire later", HOUR, 102],
    ["expires later", 3 * HOUR, 9],
  ])("in a document that is listed later counts by its expiry: it %s", async (_how, expires, expected) => {
    const { a, b, open, openStore, primary } = startMirrors("{}", documentWith(9, start + expires));
    await using one = open(openStore(primary, [a]));
    await one.signIn(sessionOf(102, start + HOUR));
    await using two = open();
    expect(await two.getAccessToken()).toBe(canary("access", expected));
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", expected), canary("refresh", expected)]);
  });

  it("is no longer assumed once a document has shown the session: another program has signed in there", async () => {
    const { b, clock, open } = startMirrors();
    await using one = open();
    await one.signIn(sessionOf(1, clock.now() + 2 * HOUR));
    b.write(documentWith(2, clock.now() + HOUR));
    await using two = open();
    expect(await two.getAccessToken()).toBe(canary("access", 2));
  });

  it("in a read-only document that is listed later does not undo a sign-out", async () => {
    const { a, b, open, openStore, primary } = startMirrors(
      documentWith(4, start + HOUR),
      documentWith(3, start + HOUR - 1),
    );
    makeReadOnly(b);
    await using one = open(openStore(primary, [a]));
    await one.getAccessToken();
    await using two = open();
    await two.getAccessToken();
    await two.signOut();
    await using three = open();
    expect(await three.hasSession()).toBe(false);
  });

  it("of another account is not overwritten, also if both are found at first", async () => {
    const theirs = documentWith(7, start + HOUR, "bob");
    const { a, b, open, problems } = startMirrors(documentWith(1, start + 2 * HOUR, "ada"), theirs);
    await using tokens = open();
    await tokens.refresh();
    expect(refreshIn(a)).toBe(canary("refresh", 101));
    expect(b.text).toBe(theirs);
    expect(problems()).toEqual(["1 other_account"]);
  });

  it("in a read-only place undoes neither a sign-in nor a sign-out", async () => {
    const { a, issuer, open } = startMirrors(documentWith(1, start + 5 * HOUR));
    makeReadOnly(a);
    await using tokens = open();
    expect(await tokens.getAccessToken()).toBe(canary("access", 1));
    await tokens.signIn(sessionOf(50, start + HOUR));
    await using second = open();
    expect(await second.getAccessToken()).toBe(canary("access", 50));
    await second.signIn(sessionOf(51, start + HOUR));
    await second.signOut();
    await using third = open();
    expect(await third.hasSession()).toBe(false);
    await third.signIn(sessionOf(60, start + HOUR));
    await using fourth = open();
    await fourth.refresh();
    expect(issuer.presented).toEqual([canary("refresh", 60)]);
  });
});
