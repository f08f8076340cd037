import { renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { nodeFileSystem } from "../src/filesystem.ts";
import { fileStore } from "../src/index.ts";
import { freshPath, storeFailing, storeWith, textOf } from "./support.ts";

const sessionOf = (account: string, refreshToken = `${account}'s`): string =>
  JSON.stringify({
    schema: 1,
    session: `session of ${account}`,
    account,
    tokens: { accessToken: `access for ${refreshToken}`, refreshToken, tokenType: "Bearer", extra: {} },
    obtainedAt: 1,
    spent: [],
  });
/** A promise that a test resolves. */
const gate = () => {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
};
const accountIn = (value: string | undefined): unknown => JSON.parse(value ?? "{}").account;

it.each([
  ["moved away and back", true],
  ["copied", false],
])("adopts the file of an earlier account that an account switcher puts back, %s", async (_how, isMoved) => {
  const path = freshPath();
  const store = fileStore({ path });
  const kept = join(dirname(path), "ada.json");
  const ada = await store.save(sessionOf("ada"), undefined);
  if (isMoved) renameSync(path, kept);
  else writeFileSync(kept, textOf(path));
  expect((await store.load())?.version).toBe(ada);
  await store.save(sessionOf("bob"), ada);
  renameSync(kept, path);
  const found = await fileStore({ path }).load();
  expect(accountIn(found?.value)).toBe("ada");
  await store.save(sessionOf("ada", "second"), found?.version);
  expect(accountIn(textOf(path))).toBe("ada");
});

it("publishes another program's session before it is used", async () => {
  const path = freshPath();
  await fileStore({ path }).save(sessionOf("ada"), undefined);
  writeFileSync(path, sessionOf("bob"));
  const version = (await fileStore({ path }).load())?.version;
  rmSync(path);
  const found = await fileStore({ path }).load();
  expect([accountIn(found?.value), found?.version]).toEqual(["bob", version]);
});

it("uses another program's session without publishing it if the chain cannot be written", async () => {
  const path = freshPath();
  await fileStore({ path }).save(sessionOf("ada"), undefined);
  writeFileSync(path, sessionOf("bob"));
  const readOnly = storeFailing(path, { create: "EROFS" });
  expect(accountIn((await readOnly.load())?.value)).toBe("bob");
});

it("replaces the file of an earlier account if its writer was suspended", async () => {
  const path = freshPath();
  const reached = gate();
  const continued = gate();
  const renamed = gate();
  const looked = gate();
  const suspended = storeWith(path, {
    async rename(from, to) {
      if (to !== path) return nodeFileSystem.rename(from, to);
      reached.resolve();
      await continued.promise;
      await nodeFileSystem.rename(from, to);
      renamed.resolve();
      await looked.promise;
    },
  });
  const saved = suspended.save(sessionOf("ada"), undefined);
  await reached.promise;
  const store = storeWith(path, {}, async () => async () => {}); // the suspended process holds the lock
  const version = (await store.load())?.version;
  await store.save(sessionOf("bob"), version);
  continued.resolve();
  await renamed.promise;
  expect(accountIn(textOf(path))).toBe("ada");
  expect(accountIn((await fileStore({ path }).load())?.value)).toBe("bob");
  looked.resolve();
  await saved;
  expect(accountIn((await fileStore({ path }).load())?.value)).toBe("bob");
  expect(accountIn(textOf(path))).toBe("bob");
});

it("replaces the file of an earlier account if the writer of a sign-in died before that", async () => {
  const path = freshPath();
  const ada = await fileStore({ path }).save(sessionOf("ada"), undefined);
  const dying = storeWith(path, {
    rename: (from, to) => (to === path ? new Promise(() => {}) : nodeFileSystem.rename(from, to)),
  });
  void dying.save(sessionOf("bob"), ada);
  const next = storeWith(path, {}, async () => async () => {});
  await expect.poll(async () => accountIn((await next.load())?.value)).toBe("bob");
  expect(accountIn(textOf(path))).toBe("bob");
});

it("replaces another program's file if the writer of a sign-in over it died before that", async () => {
  const path = freshPath();
  const ada = await fileStore({ path }).save(sessionOf("ada"), undefined);
  expect(ada).toBeDefined();
  writeFileSync(path, sessionOf("bob"));
  const renaming = gate();
  const dying = storeWith(path, {
    rename: (from, to) => {
      if (to !== path) return nodeFileSystem.rename(from, to);
      renaming.resolve();
      return new Promise(() => {});
    },
  });
  const bob = await storeFailing(path, { create: "EROFS" }).load(); // not published
  void dying.save(sessionOf("carol"), bob?.version);
  await renaming.promise; // otherwise the load could publish bob's session first
  const next = storeWith(path, {}, async () => async () => {});
  await expect.poll(async () => accountIn((await next.load())?.value)).toBe("carol");
  expect(accountIn(textOf(path))).toBe("carol");
});
