import { linkSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createTokenManager, StoreConflictError, type TokenManagerOptions, type TokenSet } from "@unexpired/core";
import { expect, it } from "vitest";
import { nodeFileSystem } from "../src/filesystem.ts";
import { fileStore } from "../src/index.ts";
import { chainOf, freshPath, storeFailing, storeWith, textOf } from "./support.ts";

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
const userOf = ({ extra }: TokenSet) => extra.user as string | undefined;
const userIn = (value: string | undefined): unknown => JSON.parse(value ?? "{}").tokens?.extra.user;
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

/** Signs in two accounts one after the other, and returns what the session file holds for each of them. */
async function copiesOf(path: string, accountOf?: TokenManagerOptions["account"]): Promise<Map<string, string>> {
  const copies = new Map<string, string>();
  for (const user of ["ada", "bob"]) {
    const account = accountOf && { account: accountOf };
    await using tokens = createTokenManager({ store: fileStore({ path }), ...account });
    await tokens.signIn({ accessToken: `${user}'s token`, refreshToken: `${user}'s`, extra: { user } });
    copies.set(user, textOf(path));
  }
  return copies;
}

it.each([
  ["of a known account", userOf],
  ["of an unknown account", undefined],
])("publishes an earlier session %s as often as an account switcher puts it back", async (_name, accountOf) => {
  const path = freshPath();
  const copies = await copiesOf(path, accountOf);
  for (const user of ["ada", "bob", "ada", "bob", "ada"]) {
    writeFileSync(path, copies.get(user) ?? "");
    const version = (await fileStore({ path }).load())?.version;
    rmSync(path); // what was not published would now be lost
    const found = await fileStore({ path }).load();
    expect([userIn(found?.value), found?.version]).toEqual([user, version]);
  }
});

it("adopts an account's file as often as an account switcher links it into place", async () => {
  const path = freshPath();
  const copies = await copiesOf(path, userOf);
  const accounts = dirname(path);
  for (const [user, text] of copies) writeFileSync(join(accounts, user), text);
  for (const user of ["ada", "bob", "ada", "bob", "ada"]) {
    rmSync(path);
    linkSync(join(accounts, user), path);
    expect(userIn((await fileStore({ path }).load())?.value)).toBe(user);
  }
});

it("does not adopt a replaced file again that could not be removed", async () => {
  const path = freshPath();
  await fileStore({ path }).save(sessionOf("ada"), undefined);
  writeFileSync(path, sessionOf("bob"));
  const store = storeFailing(path, { rename: "EBUSY", overwrite: "EACCES" });
  let version = (await store.load())?.version;
  for (const account of ["carol", "dora", "emil"]) version = await store.save(sessionOf(account), version);
  expect(accountIn(textOf(path))).toBe("bob");
  expect(accountIn((await storeFailing(path, { rename: "EBUSY", overwrite: "EACCES" }).load())?.value)).toBe("emil");
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

it("publishes the session that another program wrote while an earlier one was being published", async () => {
  const path = freshPath();
  await fileStore({ path }).save(sessionOf("ada"), undefined);
  writeFileSync(path, sessionOf("bob"));
  let writes = 0;
  const store = storeWith(path, {
    create(file, text, options) {
      if (writes++ === 0) writeFileSync(path, sessionOf("carol"));
      return nodeFileSystem.create(file, text, options);
    },
  });
  expect(accountIn((await store.load())?.value)).toBe("carol");
  rmSync(path);
  expect(accountIn((await fileStore({ path }).load())?.value)).toBe("carol");
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
  await expect.poll(async () => accountIn((await next.load())?.value), { timeout: 10_000 }).toBe("bob");
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
  await expect.poll(async () => accountIn((await next.load())?.value), { timeout: 10_000 }).toBe("carol");
  expect(accountIn(textOf(path))).toBe("carol");
});

const marksIn = (path: string) => readdirSync(chainOf(path)).filter((name) => name.startsWith("known-"));

it("forgets the session file of a save that lost", async () => {
  const path = freshPath();
  const others = fileStore({ path });
  const version = await others.save(sessionOf("ada"), undefined);
  const suspended = storeWith(
    path,
    {
      link: async (from, to) => {
        await others.save(sessionOf("bob"), version);
        await nodeFileSystem.link(from, to);
      },
    },
    async () => async () => undefined,
  );
  await expect(suspended.save(sessionOf("cy"), version)).rejects.toThrow(StoreConflictError);
  expect(marksIn(path)).toHaveLength(1);
});

it("forgets the session files that a repair replaces", async () => {
  const path = freshPath();
  const others = fileStore({ path });
  const version = await others.save(sessionOf("ada"), undefined);
  const { promise, resolve } = gate();
  const killed = storeWith(
    path,
    {
      rename: async (from, to) => {
        await others.save(sessionOf("bob"), (await others.load())?.version);
        await nodeFileSystem.rename(from, to);
        resolve();
        await new Promise(() => {});
      },
    },
    async () => async () => undefined,
  );
  void killed.save(sessionOf("cy"), version);
  await promise;
  expect(marksIn(path)).toHaveLength(2);
  expect(accountIn((await others.load())?.value)).toBe("bob");
  expect([accountIn(textOf(path)), marksIn(path).length]).toEqual(["bob", 1]);
});

it.each([
  ["removes", (path: string) => rmSync(path)],
  ["replaces", (path: string) => writeFileSync(path, sessionOf("bob"))],
])(
  "forgets a session file that another program %s only once a power failure cannot bring it back",
  async (_how, end) => {
    const path = freshPath();
    await fileStore({ path }).save(sessionOf("ada"), undefined);
    const [mark = ""] = marksIn(path);
    end(path);
    const calls: string[] = [];
    const busy = () => Promise.reject(Object.assign(new Error(), { code: "EBUSY" }));
    const store = storeWith(path, {
      rename: busy,
      overwrite: busy,
      syncDirectory(directory) {
        calls.push(directory);
        return nodeFileSystem.syncDirectory(directory);
      },
      unlink(file) {
        calls.push(basename(file));
        return nodeFileSystem.unlink(file);
      },
    });
    await store.load();
    expect(calls).toContain(mark);
    expect(calls.indexOf(dirname(path))).toBeGreaterThanOrEqual(0);
    expect(calls.indexOf(dirname(path))).toBeLessThan(calls.indexOf(mark));
  },
);
