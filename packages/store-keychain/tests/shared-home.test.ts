/** Machines that share a home directory, but not a keychain. The plain-text file is common to all of them. */
import { readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { SessionFormat, TokenStore } from "@unexpired/core";
import { jsonFormat } from "@unexpired/store-node";
import { machineName } from "@unexpired/store-node/chain";
import { describe, expect, it } from "vitest";
import { openKeychainOrFile } from "../src/file-fallback/keychain-or-file.ts";
import { type KeychainBackend, KeychainError, type KeychainErrorReason, keychainStore } from "../src/index.ts";
import { openKeychainStore } from "../src/keychain-store.ts";
import { resolveSettings } from "../src/options.ts";
import { freshDirectory } from "./support/fresh-directory.ts";
import { ITEM_LIMIT, memoryKeychain, unsyncedFileSystem } from "./support/memory-keychain.ts";

const session = { service: "tests", account: "ada" };

/** One machine; an earlier release has no name for it. */
interface Machine {
  readonly home: string;
  readonly name: string | undefined;
  readonly keychain: KeychainBackend;
}

const machine = (home: string, name: string | undefined): Machine => ({
  home,
  name: name?.repeat(16),
  keychain: memoryKeychain(new Map()),
});

const failing = (reason: KeychainErrorReason): KeychainBackend => {
  const reject = () => Promise.reject(new KeychainError(reason, { location: "A test", problem: "fails", hint: "" }));
  return { name: "memory", get: reject, set: reject, delete: reject };
};

const systemOf = ({ home, name }: Machine) =>
  ({ platform: "linux", env: { XDG_STATE_HOME: home }, machine: name }) as const;

/** Opens the store of one process on a machine. */
function open(on: Machine, format?: SessionFormat): TokenStore {
  const settings = resolveSettings({ ...session, backend: on.keychain, format }, systemOf(on));
  const load = () => Promise.reject(new Error("No built-in backend is needed"));
  return openKeychainStore(settings, {
    fs: unsyncedFileSystem,
    lock: async () => async () => undefined,
    loadBackend: load,
  });
}

const openEither = (on: Machine): TokenStore =>
  openKeychainOrFile(
    { ...session, backend: on.keychain, plainTextFile: { path: join(on.home, "plain", "session.json") } },
    { fs: unsyncedFileSystem, system: systemOf(on) },
  );

const valueOn = async (on: Machine, opened = open(on)) => (await opened.load())?.value;

async function save(store: TokenStore, value: string): Promise<string> {
  return store.save(value, (await store.load())?.version);
}

it("keeps one session per machine", async () => {
  const home = freshDirectory();
  const [a, b] = [machine(home, "a"), machine(home, "b")];
  await save(open(a), "session of a");
  expect(await valueOn(b)).toBeUndefined();
  await save(open(b), "session of b");
  expect(await valueOn(a)).toBe("session of a");
  await open(b).remove();
  expect([await valueOn(a), await valueOn(b)]).toEqual(["session of a", undefined]);
});

it("shares one session between the processes of a machine", async () => {
  const a = machine(freshDirectory(), "a");
  const version = await save(open(a), "old");
  const next = await open(a).save("new", version);
  expect(await open(a).load()).toEqual({ value: "new", version: next });
  await expect(open(a).save("late", version)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
});

it("continues a session of an earlier release in its directory, together with processes of that release", async () => {
  const home = freshDirectory();
  const a = machine(home, "a");
  const earlier = { ...a, name: undefined };
  const version = await save(open(earlier), "from the earlier release");
  expect(await open(a).load()).toEqual({ value: "from the earlier release", version });
  const next = await open(a).save("renewed", version);
  expect(await open(earlier).load()).toEqual({ value: "renewed", version: next });
  expect(open(a).describe()).toContain(join("keychain", "a".repeat(16)));
  expect(readdirSync(join(home, "unexpired", "keychain"))).not.toContain("a".repeat(16));
});

it("leaves a session of an earlier release to the machine whose keychain has it", async () => {
  const home = freshDirectory();
  const [a, b] = [machine(home, "a"), machine(home, "b")];
  await save(open({ ...a, name: undefined }), "session of a");
  expect(await valueOn(b)).toBeUndefined();
  await save(open(b), "session of b");
  await open(b).remove();
  expect(await valueOn(a)).toBe("session of a");
  expect(await valueOn({ ...a, name: undefined })).toBe("session of a");
});

describe("with a format", () => {
  const format = jsonFormat({ at: [], fields: { accessToken: "token", refreshToken: "refresh" } });
  const signIn = (on: Machine, name: string) =>
    on.keychain.set(
      session.service,
      session.account,
      JSON.stringify({ token: `canary-${name}`, refresh: `r-${name}` }),
    );

  it("keeps one session per machine, even if each has an item of the other program", async () => {
    const home = freshDirectory();
    const [a, b] = [machine(home, "a"), machine(home, "b")];
    await signIn(a, "a");
    expect(await valueOn(a, open(a, format))).toContain("canary-a");
    await signIn(b, "b");
    const store = open(b, format);
    expect(await valueOn(b, store)).toContain("canary-b");
    expect(store.describe()).toContain("b".repeat(16));
    expect(await valueOn(a, open(a, format))).toContain("canary-a");
  });

  it("finds the session after the machine was renamed", async () => {
    const a = machine(freshDirectory(), "a");
    await signIn(a, "a");
    const found = await open(a, format).load();
    const store = open({ ...a, name: "c".repeat(16) }, format);
    expect(await store.load()).toEqual(found);
    expect(store.describe()).toContain("a".repeat(16));
  });
});

it("finds the session after the machine was renamed", async () => {
  const a = machine(freshDirectory(), "a");
  await save(open({ ...a, name: undefined }), "of the earlier release");
  const { keychain } = machine(a.home, "a");
  const elsewhere = { ...a, keychain };
  await save(open(elsewhere), "under the old name");
  const renamed = { ...elsewhere, name: "c".repeat(16) };
  const store = open(renamed);
  expect(await valueOn(renamed, store)).toBe("under the old name");
  expect(store.describe()).toContain("a".repeat(16));
  await save(store, "renewed");
  expect(await valueOn(elsewhere)).toBe("renewed");
  await store.remove();
  expect([await valueOn(elsewhere), await valueOn(renamed)]).toEqual([undefined, undefined]);
  expect(await valueOn(a)).toBe("of the earlier release");
});

it("uses the session that was saved last, if its keychain has those of several directories", async () => {
  const a = machine(freshDirectory(), "a");
  const earlier = { ...a, name: undefined };
  const renamed = { ...a, name: "c".repeat(16) };
  for (const [on, value] of [
    [a, "first"],
    [earlier, "second"],
    [a, "third"],
  ] as const) {
    await save(open(on), value);
    expect(await valueOn(renamed)).toBe(value);
  }
});

it("fails if the backend that stored the session of an earlier release is missing", async () => {
  const a = machine(freshDirectory(), "a");
  await save(open({ ...a, name: undefined }), "a session");
  const other = { ...a, keychain: { ...a.keychain, name: "another" } };
  await expect(open(other).load()).rejects.toMatchObject({ reason: "no_backend" });
});

it.each(["locked", "timeout", "refused"] as const)(
  "does not take a session elsewhere for a missing one while the keychain is unusable (%s)",
  async (reason) => {
    const a = machine(freshDirectory(), "a");
    await save(open(a), "a session");
    let broken = true;
    const get: KeychainBackend["get"] = async (service, account) => {
      if (!broken) return a.keychain.get(service, account);
      broken = false; // the second call succeeds, and finds no item under the plain account
      return failing(reason).get(service, account);
    };
    const renamed = { ...a, name: "c".repeat(16), keychain: { ...a.keychain, get } };
    await expect(open(renamed).load()).rejects.toMatchObject({ reason });
    expect(await valueOn(renamed)).toBe("a session");
  },
);

it("reports a damaged session elsewhere, and removes it", async () => {
  const items = new Map<string, string>();
  const a = { ...machine(freshDirectory(), "a"), keychain: memoryKeychain(items) };
  await save(open(a), "x".repeat(2 * ITEM_LIMIT));
  items.delete([...items.keys()][0] ?? "");
  const renamed = { ...a, name: "c".repeat(16) };
  await expect(open(renamed).load()).rejects.toMatchObject({ reason: "damaged" });
  await open(renamed).remove();
  expect(items.size).toBe(0);
  expect(await valueOn(a)).toBeUndefined();
});

it.each([
  ["this machine", true],
  ["an earlier release", false],
])("reports damaged version files of %s, and removes the session with them", async (_name, isOwn) => {
  const items = new Map<string, string>();
  const a = { ...machine(freshDirectory(), "a"), keychain: memoryKeychain(items) };
  const writer = isOwn ? a : { ...a, name: undefined };
  const version = await save(open(writer), "x".repeat(2 * ITEM_LIMIT));
  await open(writer).save("a session", version);
  const files = readdirSync(a.home, { recursive: true, withFileTypes: true });
  for (const { name, parentPath } of files) if (name === "2") truncateSync(join(parentPath, name), 9);
  const error = { code: "STORE_UNREADABLE", hint: "Call remove() on the store and sign in again." };
  for (const store of [open(a), openEither(a)]) {
    await expect(store.load()).rejects.toMatchObject(error);
    await expect(store.save("another session", undefined)).rejects.toMatchObject(error);
  }
  expect(items.size).toBeGreaterThan(0);
  await (isOwn ? open(a) : openEither(a)).remove();
  expect(items.size).toBe(0);
  expect(await valueOn(a)).toBeUndefined();
  await save(open(a), "another session");
  expect(await valueOn(a)).toBe("another session");
});

it("notifies of changes in every directory that has the session", async () => {
  const a = machine(freshDirectory(), "a");
  for (const name of ["a".repeat(16), undefined]) {
    const writer = open({ ...a, name });
    await save(writer, "a session");
    let isNotified = false;
    const stop = open({ ...a, name: "c".repeat(16) }).watch?.(() => {
      isNotified = true;
    });
    for (let round = 0; !isNotified; round++) await save(writer, `session ${round}`);
    stop?.();
    await writer.remove();
  }
});

it("uses the keychain's error, not the file, while a session of an earlier release may be in the keychain", async () => {
  const home = freshDirectory();
  const a = machine(home, "a");
  await save(openEither({ ...a, name: undefined }), "a session");
  const overSsh = { ...a, keychain: failing("no_service") };
  await expect(openEither(overSsh).load()).rejects.toMatchObject({ reason: "no_service" });
  expect(await valueOn(a, openEither(a))).toBe("a session");
});

it("does so as well if the earlier release did not choose between the two", async () => {
  const a = machine(freshDirectory(), "a");
  await save(open({ ...a, name: undefined }), "a session");
  const overSsh = openEither({ ...a, keychain: failing("no_service") });
  await expect(overSsh.load()).rejects.toMatchObject({ reason: "no_service" });
  await expect(overSsh.save("another session", undefined)).rejects.toMatchObject({ reason: "no_service" });
});

it("uses the file on a machine without a keychain, and the keychain on one that had chosen it before", async () => {
  const home = freshDirectory();
  const [a, b] = [machine(home, "a"), { ...machine(home, "b"), keychain: failing("no_service") }];
  await save(openEither(a), "session of a");
  await save(openEither(b), "session of b");
  expect(await valueOn(a, openEither(a))).toBe("session of a");
  await openEither(a).remove();
  expect(await valueOn(b, openEither(b))).toBe("session of b");
  expect(await valueOn(a, openEither(a))).toBe("session of b"); // without a choice of its own, it uses the file as well
  expect(await valueOn(b, openEither(b))).toBe("session of b");
});

it("never moves the file of a machine without a keychain into the keychain of another", async () => {
  const home = freshDirectory();
  const [a, b] = [machine(home, "a"), { ...machine(home, "b"), keychain: failing("no_service") }];
  await save(openEither(b), "session of b");
  expect(await valueOn(a, openEither(a))).toBe("session of b");
  await save(openEither(a), "renewed by a");
  expect(await valueOn(b, openEither(b))).toBe("renewed by a");
});

it("does not fill its keychain, if that was emptied, from the file of another machine", async () => {
  const home = freshDirectory();
  const items = new Map<string, string>();
  const a = { ...machine(home, "a"), keychain: memoryKeychain(items) };
  const b = { ...machine(home, "b"), keychain: failing("no_service") };
  await save(openEither(a), "session of a");
  await save(openEither(b), "session of b");
  items.clear();
  expect(await valueOn(a, openEither(a))).toBeUndefined();
  expect(await valueOn(b, openEither(b))).toBe("session of b");
});

it("keeps using the file that an earlier release has chosen", async () => {
  const home = freshDirectory();
  const a = machine(home, "a");
  await save(openEither({ ...a, name: undefined, keychain: failing("no_service") }), "a session");
  expect(await valueOn(a, openEither(a))).toBe("a session");
  await openEither(a).remove();
  await save(openEither(a), "the next session"); // the choice was reset
  expect(await valueOn(a, open(a))).toBe("the next session");
});

it("names the machine in the default directory on Linux only", () => {
  const env = { XDG_STATE_HOME: "/state", HOME: "/home/ada" };
  const inDirectory = (platform: NodeJS.Platform, name: string | undefined) =>
    resolveSettings(session, { platform, env, machine: name }).paths.parent;
  expect(inDirectory("linux", "0123456789abcdef")).toBe("/state/unexpired/keychain/0123456789abcdef");
  expect(inDirectory("linux", undefined)).toBe("/state/unexpired/keychain");
  const { sharedDirectory } = resolveSettings({ ...session, directory: "/elsewhere" });
  expect(sharedDirectory).toBeUndefined();
});

it("uses the name of this machine, which is stable and reveals nothing", (ctx) => {
  if (process.platform !== "linux") ctx.skip("not applicable: only Linux has a directory per machine");
  const name = machineName() ?? "";
  expect(name).toMatch(/^[0-9a-f]{16}$/);
  expect(machineName()).toBe(name);
  expect(keychainStore(session).describe()).toContain(join("unexpired", "keychain", name));
});
