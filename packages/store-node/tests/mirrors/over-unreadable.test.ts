import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTokenManager, type TokenStore } from "@unexpired/core";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { fileDocument, fileStore, mirroredStore } from "../../src/index.ts";
import { freshDirectory } from "../support.ts";
import { format, HOUR, sessionOf, startMirrors } from "./support.ts";

const unreadable = { code: "STORE_UNREADABLE" };

/** A primary that another program reads, too, and a document. */
function start() {
  const directory = freshDirectory();
  const [path = "", copy = ""] = ["primary.json", "copy.json"].map((name) => join(directory, name));
  writeFileSync(copy, "{}");
  const open = (): TokenStore => mirroredStore(fileStore({ path, format }), [fileDocument({ path: copy, format })]);
  const session = (number: number) => sessionOf(number, Date.now() + HOUR);
  const spoil = () => writeFileSync(path, "garbage");
  return { open, session, spoil };
}

describe('signIn with { over: "unreadable" } over a mirrored store', () => {
  it.each([
    ["was spoiled", true],
    ["was spoiled before the first sign-in", false],
  ])("replaces the document of the primary if it %s", { timeout: 20_000 }, async (_when, isSignedIn) => {
    const { open, session, spoil } = start();
    await using one = createTokenManager({ store: open() });
    if (isSignedIn) await one.signIn(session(1));
    spoil();
    await using two = createTokenManager({ store: open() });
    expect(await two.signIn(session(2), { over: "unreadable" })).toBe(true);
    await using three = createTokenManager({ store: open() });
    expect(await three.getAccessToken()).toBe(canary("access", 2));
  });

  it("replaces a damaged record, and the documents still name its store", async () => {
    const { a, b, clock, open, openStore, primary } = startMirrors();
    await using one = open();
    await one.signIn(sessionOf(1, clock.now() + HOUR));
    const named = a.primary;
    await primary.save("garbage", (await primary.load())?.version);
    await using two = open();
    await expect(two.getAccessToken()).rejects.toMatchObject(unreadable);
    expect(await two.signIn(sessionOf(2, clock.now() + HOUR), { over: "unreadable" })).toBe(true);
    await using three = open();
    expect(await three.getAccessToken()).toBe(canary("access", 2));
    expect([a, b].map(({ primary: noted, session }) => [noted, session?.refresh])).toEqual([
      [named, canary("refresh", 2)],
      [named, canary("refresh", 2)],
    ]);
    await primary.save("garbage", (await primary.load())?.version);
    await openStore().remove();
    expect([a.text, b.text, a.primary, await primary.load()]).toEqual(["{}", "{}", undefined, undefined]);
  });
});
