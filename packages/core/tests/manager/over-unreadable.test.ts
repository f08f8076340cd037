import { inspect } from "node:util";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { createTokenManager, fromKeyValue, memoryStore, StoreError, type TokenStore } from "../../src/index.ts";

const OVER = { over: "unreadable" } as const;
const tokens = { accessToken: canary("access", 1), refreshToken: canary("refresh", 1) };

/** A memory store that holds a text of another program. */
async function storeWith(text: string): Promise<TokenStore> {
  const store = memoryStore();
  await store.save(text, undefined);
  return store;
}

/** A store whose load fails with an error that has these members. */
const failing = (details: Partial<ConstructorParameters<typeof StoreError>[1]>) => {
  const saved: (string | undefined)[] = [];
  const store: TokenStore = {
    ...memoryStore(),
    load: async () => {
      throw new StoreError("STORE_UNREADABLE", { location: "disk", problem: "is torn", hint: "Fix it.", ...details });
    },
    save: async (_value, expected) => {
      saved.push(expected);
      return "next";
    },
  };
  return { store, saved };
};

describe("unreadable data", () => {
  it.each([canary("access", 9), '{"schema":1}'])(
    "is replaced by a sign-in on request, and only then: %s",
    async (text) => {
      const store = await storeWith(text);
      await using manager = createTokenManager({ store });
      const refused = await manager.signIn(tokens).catch((error: unknown) => error);
      expect(refused).toMatchObject({
        code: "STORE_UNREADABLE",
        hint: expect.stringContaining('{ over: "unreadable" }'),
      });
      expect(inspect(refused)).not.toContain(text);
      expect((await store.load())?.value).toBe(text);
      expect(await manager.signIn(tokens, OVER)).toBe(true);
      await using other = createTokenManager({ store });
      expect(await other.getAccessToken()).toBe(tokens.accessToken);
    },
  );

  it("is replaced by a sign-out on request, and only then", async () => {
    const store = await storeWith("torn");
    await using manager = createTokenManager({ store });
    await expect(manager.signOut()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    expect(await manager.signOut(OVER)).toEqual({ revoked: false });
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });

  it.each(['{"schema":2}', '{"schema":1,"obtainedAt":0,"spent":[],"requires":["later"]}'])(
    "is never replaced if a newer release wrote it: %s",
    async (text) => {
      const store = await storeWith(text);
      await using manager = createTokenManager({ store });
      await expect(manager.signIn(tokens, OVER)).rejects.toThrow(/Update this program.*cannot be replaced/);
      await expect(manager.signOut(OVER)).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
      expect((await store.load())?.value).toBe(text);
    },
  );

  it("does not get in the way of a sign-in that is not needed", async () => {
    const store = memoryStore();
    await using manager = createTokenManager({ store });
    expect(await manager.signIn(tokens, OVER)).toBe(true);
    expect(await manager.signIn({ accessToken: canary("access", 2) }, OVER)).toBe(true);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });

  it("stays if its store has no version of it to overwrite, which the error reports", async () => {
    const { store, saved } = failing({});
    await using manager = createTokenManager({ store });
    const error = await manager.signIn(tokens, OVER).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "STORE_UNREADABLE",
      hint: 'Fix it. It cannot be replaced by { over: "unreadable" }.',
    });
    await expect(manager.signOut(OVER)).rejects.toThrow("cannot be replaced");
    expect(saved).toEqual([]);
  });

  it("is replaced over the version of the error", async () => {
    const { store, saved } = failing({ version: "4" });
    await using manager = createTokenManager({ store });
    await manager.signIn(tokens, OVER);
    expect(saved).toEqual(["4"]);
  });

  it("is left alone by default if the error has another version to overwrite it", async () => {
    const stored = () => JSON.stringify({ schema: 1, obtainedAt: 0, spent: ["0123456789abcdef"] });
    const { store, saved } = failing({ version: "4", overwriteVersion: "4-torn", stored });
    await using manager = createTokenManager({ store });
    await manager.signIn(tokens);
    await manager.signIn(tokens, OVER);
    expect(saved).toEqual(["4", "4-torn"]);
  });

  it("is kept under another key by a key-value store", async () => {
    const values = new Map([["session", "a text of another program"]]);
    const store = fromKeyValue(values, { key: "session" });
    await using manager = createTokenManager({ store });
    await expect(manager.signIn(tokens)).rejects.toThrow('signIn(tokens, { over: "unreadable" })');
    await expect(store.save("late", "another version")).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    await manager.signIn(tokens, OVER);
    expect([...values.keys()]).toEqual(["session", expect.stringMatching(/^session\.unreadable-/)]);
    expect([...values.values()]).toEqual([expect.stringContaining(tokens.accessToken), "a text of another program"]);
  });

  it("is not replaced in a key-value store if it is another text by then", async () => {
    const values = new Map([["unexpired", "a text of another program"]]);
    const store = fromKeyValue(values);
    const { version } = (await store.load().catch((error: StoreError) => error)) as StoreError;
    values.set("unexpired", "another text");
    await expect(store.save("late", version)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect([...values]).toEqual([["unexpired", "another text"]]);
  });

  it("has no version in a key-value store if it is no text", async () => {
    const values = new Map<string, unknown>([["unexpired", { theme: "dark" }]]);
    await using manager = createTokenManager({ store: fromKeyValue(values) });
    await expect(manager.signIn(tokens, OVER)).rejects.toThrow(/delete this one and sign in again.*cannot be replaced/);
  });

  it("names the accepted value of the option", async () => {
    await using manager = createTokenManager();
    const options = { over: "anything" } as unknown as typeof OVER;
    await expect(manager.signIn(tokens, options)).rejects.toThrow('over: expected "unreadable", not');
    await expect(manager.signOut(options)).rejects.toThrow(TypeError);
  });
});
