import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createTokenManager, type StoreEvent } from "@unexpired/core";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { fileDocument, fileStore, mirroredStore } from "../../src/index.ts";
import { freshDirectory } from "../support.ts";
import { documentWith, format, HOUR, sessionOf } from "./support.ts";

/** A program that has the document open while its session is replaced, and writes another theme then. */
async function start(change: (path: string) => void = () => {}) {
  const directory = freshDirectory();
  const path = join(directory, "auth.json");
  const old = documentWith(1, Date.now() + HOUR);
  writeFileSync(path, old);
  const store = mirroredStore(fileStore({ path: join(directory, "session.json") }), [fileDocument({ path, format })]);
  const events: StoreEvent[] = [];
  const stop = store.subscribe?.((event) => events.push(event));
  await using tokens = createTokenManager({ store });
  await tokens.getAccessToken();
  const file = openSync(path, "r+");
  await tokens.signIn(sessionOf(2, Date.now() + 2 * HOUR));
  change(path);
  ftruncateSync(file, 0);
  writeSync(file, old.replace("dark", "light"), 0);
  closeSync(file);
  return { path, store, events, stop };
}

describe("a program that has the document open while the session in it is replaced", () => {
  it("does not lose what it writes then", async () => {
    const { path, store, events } = await start();
    await expect.poll(() => readFileSync(path, "utf8")).toContain("light");
    await store.load();
    expect(readFileSync(path, "utf8")).toContain(canary("refresh", 2));
    expect(readFileSync(path, "utf8")).toContain("light");
    expect(events).toEqual([]);
  });

  it("is reported to lose it if another program has changed the document since", async () => {
    const { path, events, stop } = await start((path) =>
      writeFileSync(path, readFileSync(path, "utf8").replace("dark", "blue")),
    );
    await expect.poll(() => events).toEqual([{ type: "document-write-lost", location: path }]);
    expect(readFileSync(path, "utf8")).toContain("blue");
    stop?.();
  });
});
