import { inspect } from "node:util";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import {
  createTokenManager,
  fromKeyValue,
  keyRing,
  memoryStore,
  type SealedOptions,
  type SealingKey,
  StoreError,
  sealed,
  type TokenStore,
} from "../../src/index.ts";

const newKey = (id: string): SealingKey => ({ id, key: crypto.getRandomValues(new Uint8Array(32)) });
const [ONE, TWO] = [newKey("one"), newKey("two")];
const SESSION = { accessToken: canary("access", 1), refreshToken: canary("refresh", 1) };

/** Signs in through a sealed store, and returns the inner store. */
async function signedIn(options: SealedOptions): Promise<TokenStore> {
  const store = memoryStore();
  await using tokens = createTokenManager({ store: sealed(store, options) });
  await tokens.signIn(SESSION);
  return store;
}

const textOf = async (store: TokenStore) => (await store.load())?.value ?? "";
const problemOf = (store: TokenStore) =>
  store.load().then(
    () => undefined,
    (error: StoreError) => error,
  );

describe("sealed", () => {
  it("keeps no token in the store that it wraps", async () => {
    const store = await signedIn({ keys: [ONE], name: "user 1" });
    const text = await textOf(store);
    expect(text).toMatch(/^unexpired-sealed-1\.[\w-]+\.[\w-]+$/);
    expect(Buffer.from(text.split(".")[2] ?? "", "base64url").toString("latin1")).not.toContain("canary");
    await using tokens = createTokenManager({ store: sealed(store, { keys: [ONE], name: "user 1" }) });
    expect(await tokens.getAccessToken()).toBe(SESSION.accessToken);
  });

  it("never seals a value in the same way twice", async () => {
    const [one, other] = [memoryStore(), memoryStore()];
    for (const store of [one, other]) await sealed(store, { keys: [ONE], name: "user 1" }).save("value", undefined);
    expect(await textOf(one)).not.toBe(await textOf(other));
  });

  it.each(["", "\uFEFFé漢🔑\0", "x".repeat(200_000)])("opens what it has sealed: %.10s", async (value) => {
    const store = sealed(memoryStore(), { keys: [ONE], name: "user 1" });
    const version = await store.save(value, undefined);
    expect(await store.load()).toEqual({ value, version });
  });

  it("reads with every key of the ring, and seals with the first one at the next save", async () => {
    const store = await signedIn({ keys: [ONE], name: "user 1" });
    const both = sealed(store, { keys: [TWO, ONE], name: "user 1" });
    const found = await both.load();
    expect(found?.value).toContain(SESSION.accessToken);
    await both.save(found?.value ?? "", found?.version);
    expect((await sealed(store, { keys: [TWO], name: "user 1" }).load())?.value).toBe(found?.value);
  });

  it("names a key that the ring does not have, and changes nothing", async () => {
    const store = await signedIn({ keys: [ONE], name: "user 1" });
    const before = await store.load();
    await using tokens = createTokenManager({ store: sealed(store, { keys: [TWO], name: "user 1" }) });
    await expect(tokens.getAccessToken()).rejects.toMatchObject({
      code: "STORE_UNREADABLE",
      problem: 'is sealed with the key "one", which is not among the keys of this process',
    });
    await expect(tokens.signIn(SESSION)).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    expect(await store.load()).toEqual(before);
    expect(await tokens.signIn(SESSION, { over: "unreadable" })).toBe(true);
    expect(await tokens.getAccessToken()).toBe(SESSION.accessToken);
  });

  it("does not open what was sealed under another name, such as a row that was swapped", async () => {
    const store = await signedIn({ keys: [ONE], name: "user 1" });
    expect(await problemOf(sealed(store, { keys: [ONE], name: "user 2" }))).toMatchObject({
      code: "STORE_UNREADABLE",
      problem: expect.stringContaining("sealed under another name"),
    });
  });

  it("does not open a text whose key ID was replaced by that of the same key", async () => {
    const text = await textOf(await signedIn({ keys: [ONE], name: "user 1" }));
    const renamed = { ...ONE, id: "renamed" };
    const store = memoryStore();
    await store.save(text.replace(/\.[\w-]+\./, `.${Buffer.from("renamed").toString("base64url")}.`), undefined);
    expect(await problemOf(sealed(store, { keys: [renamed], name: "user 1" }))).toBeInstanceOf(StoreError);
  });

  it.each([
    ["a changed character", (text: string) => text.replace(/.$/, (last) => (last === "A" ? "B" : "A"))],
    ["a part", (text: string) => text.slice(0, -20)],
    ["nothing but the key ID", (text: string) => text.replace(/\.[\w-]+$/, ".")],
  ])("does not open %s", async (_, change) => {
    const store = memoryStore();
    const text = await textOf(await signedIn({ keys: [ONE], name: "user 1" }));
    await store.save(change(text.replace(/..$/, "")), undefined);
    expect(await problemOf(sealed(store, { keys: [ONE], name: "user 1" }))).toMatchObject({ code: "STORE_UNREADABLE" });
  });

  it("reads a session that is not sealed only if asked to, and seals it with the next save", async () => {
    const store = memoryStore();
    await using plain = createTokenManager({ store });
    await plain.signIn(SESSION);
    expect(await problemOf(sealed(store, { keys: [ONE], name: "user 1" }))).toMatchObject({
      code: "STORE_UNREADABLE",
      problem: "holds a session that is not sealed",
    });
    const migrating = sealed(store, { keys: [ONE], name: "user 1", allowPlain: true });
    await using tokens = createTokenManager({ store: migrating });
    expect(await tokens.getAccessToken()).toBe(SESSION.accessToken);
    await tokens.signIn({ ...SESSION, refreshToken: canary("refresh", 2) });
    expect(await textOf(store)).toMatch(/^unexpired-sealed-1\./);
  });

  it("passes on what the store supports, and its changes", async () => {
    const inner = memoryStore();
    const holder = { id: "me", statusOf: async () => "alive" as const };
    const settled = async () => {};
    const store = sealed({ ...inner, holder, settled }, { keys: keyRing([ONE]), name: "user 1" });
    expect(store.settled).toBeDefined();
    expect([store.supports, store.holder, store.describe()]).toEqual([inner.supports, holder, inner.describe()]);
    expect(sealed({ ...inner, watch: undefined } as never, { keys: [ONE], name: "n" }).watch).toBeUndefined();
    let changes = 0;
    const stop = store.watch?.(() => changes++);
    await store.save("value", undefined);
    stop?.();
    await store.remove();
    expect([changes, await inner.load()]).toEqual([1, undefined]);
  });

  it("passes on that others write to a key-value object directly", async () => {
    const map = new Map<string, string>();
    const open = () => sealed(fromKeyValue(map), { keys: [ONE], name: "user 1" });
    const [one, other] = [open(), open()];
    await one.save("value", undefined);
    const version = (await other.load())?.version;
    await other.save("another value", version);
    await one.load();
    expect(one).toMatchObject({ isShared: true });
  });

  it("opens a session that unreadable data only hides", async () => {
    const stored = await (await signedIn({ keys: [ONE], name: "user 1" })).load();
    const details = { location: "The file", problem: "is torn", hint: "Repair it.", version: stored?.version };
    const load = async () => {
      throw new StoreError("STORE_UNREADABLE", { ...details, stored: () => stored?.value ?? "" });
    };
    const error = await problemOf(sealed({ ...memoryStore(), load }, { keys: [ONE], name: "user 1" }));
    expect(error?.stored?.()).toContain(SESSION.accessToken);
    expect(inspect(error)).not.toContain("canary");
  });

  it("rejects invalid options", () => {
    const store = memoryStore();
    const cases: [unknown, RegExp][] = [
      [{ keys: [ONE] }, /^name: expected a non-empty string/],
      [{ name: "n" }, /^keys: expected/],
      [{ keys: [], name: "n" }, /^keys: expected at least one/],
      [{ keys: {}, name: "n" }, /^keys: expected an array/],
      [{ keys: [ONE, ONE], name: "n" }, /^keys\[1\]\.id: expected a non-empty string that no other key has/],
      [{ keys: [{ id: "a", key: "c2hvcnQ=" }], name: "n" }, /^keys\[0\]\.key: expected 32 bytes/],
      [{ keys: [ONE], name: "n", nmae: "" }, /unknown option "nmae"/],
    ];
    for (const [options, message] of cases) expect(() => sealed(store, options as SealedOptions)).toThrow(message);
    const foreign = { ...store, supports: { ...store.supports, foreignDocuments: true } };
    expect(() => sealed(foreign, { keys: [ONE], name: "n" })).toThrow("other programs read the session");
  });

  it("accepts keys as bytes, base64 and CryptoKey", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const cryptoKey = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
    const store = memoryStore();
    await sealed(store, { keys: [{ id: "k", key: bytes }], name: "n" }).save("value", undefined);
    for (const key of [Buffer.from(bytes), Buffer.from(bytes).toString("base64"), cryptoKey])
      expect((await sealed(store, { keys: [{ id: "k", key }], name: "n" }).load())?.value).toBe("value");
  });
});
