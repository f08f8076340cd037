import type { StoreError, TokenStore } from "@unexpired/core";
import { jsonFormat, rawTokenFormat } from "@unexpired/store-node";
import { describe, expect, it } from "vitest";
import type { KeychainBackend } from "../../src/index.ts";
import {
  fields,
  format,
  HOUR,
  issuer,
  itemWith,
  keychainOf,
  managerOver,
  open,
  sessionIn,
  worldWith,
} from "../support/item-world.ts";
import { openStore, type World } from "../support/memory-keychain.ts";

const OVER = { over: "unreadable" } as const;
const TORN = '{"theme":"dark","oauth":{"accessToken":"canary-acc';

const tokensOf = (number: number) => ({
  accessToken: `canary-a${number}`,
  refreshToken: `canary-r${number}`,
  expiresAt: Date.now() + HOUR,
});

const COPY = /^Unexpired: tests\/ada \(unreadable [\w-]{16}\)$/;

/** Returns the copies of unreadable items. */
const copiesOf = ({ items }: World): string[] => [...items].flatMap(([key, text]) => (COPY.test(key) ? text : []));

const failureOf = (loading: Promise<unknown>): Promise<StoreError> =>
  loading.then(
    () => Promise.reject(new Error("It did not reject")),
    (error) => error,
  );

const record = async (number: number): Promise<string> => {
  const store = openStore(worldWith());
  await managerOver({ store, pass: () => undefined }).signIn(tokensOf(number));
  return (await store.load())?.value ?? "";
};

describe("an item that its format cannot read", () => {
  it.each([TORN, '{"oauth":{"accessToken":7}}', "text\u0000漢"])(
    "is replaced by a sign-in on request, and its text is kept in an item of its own: %s",
    async (text) => {
      const world = worldWith(text);
      await using manager = managerOver(open(world));
      const error = await failureOf(manager.signIn(tokensOf(1)));
      expect(error).toMatchObject({ code: "STORE_UNREADABLE" });
      expect(error.hint).toContain('signIn(tokens, { over: "unreadable" }), which keeps a copy of it in the keychain.');
      expect([...world.items]).toEqual([["ada", text]]);
      await manager.signIn(tokensOf(1), OVER);
      expect(copiesOf(world)).toEqual([text]);
      expect(format.parse(world.items.get("ada") ?? "")?.tokens).toMatchObject({ refreshToken: "canary-r1" });
      await using other = managerOver(open(world));
      expect(await other.getAccessToken()).toBe("canary-a1");
    },
  );

  it("keeps its other entries, if only one of them is unreadable", async () => {
    const text = `{ // kept
  "pool": [{ "id": "one", "accessToken": 7, "label": "mine" }, { "id": "two", "accessToken": "canary-a9" }]
}`;
    const world = worldWith(text);
    const one = jsonFormat({ at: ["pool", { where: { id: "one" } }], fields });
    await using manager = managerOver(open(world, undefined, one));
    await manager.signIn(tokensOf(1), OVER);
    expect(copiesOf(world)).toEqual([text]);
    expect(world.items.get("ada")).toContain('{ "id": "two", "accessToken": "canary-a9" }');
    expect(world.items.get("ada")).toMatch(/\/\/ kept\n.*"label": "mine"/);
    expect(one.parse(world.items.get("ada") ?? "")?.tokens).toMatchObject({ accessToken: "canary-a1" });
  });

  it("stays if its entry cannot be told from the others", async () => {
    const text = '{"pool":[{"id":"one"},{"id":"one"}]}';
    const world = worldWith(text);
    const one = jsonFormat({ at: ["pool", { where: { id: "one" } }], fields });
    await using manager = managerOver(open(world, undefined, one));
    await expect(manager.signIn(tokensOf(1), OVER)).rejects.toThrow("matches several entries");
    expect([...world.items]).toEqual([["ada", text]]);
  });

  it("is replaced by a sign-out on request", async () => {
    const world = worldWith('{"theme":"dark","oauth":{"accessToken":7}}');
    await using manager = managerOver(open(world));
    await manager.signOut(OVER);
    expect(JSON.parse(world.items.get("ada") ?? "")).toEqual({ theme: "dark", oauth: {} });
    expect(copiesOf(world)).toHaveLength(1);
    await using other = managerOver(open(world));
    await expect(other.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });

  it("is left alone by a refresh, and replaced on request, without forgetting what is spent", async () => {
    const world = worldWith(itemWith(1));
    await using manager = managerOver(open(world));
    await manager.getAccessToken();
    const { store } = open(world);
    world.items.set("ada", TORN);
    const hidden = await failureOf(store.load());
    await store.save((hidden.stored?.() ?? "").replaceAll("canary-a1", "canary-a1b"), hidden.version);
    expect(world.items.get("ada")).toBe(TORN);
    await manager.signIn(tokensOf(5), OVER);
    expect(sessionIn(world)).toBe("canary-r5");
    expect(copiesOf(world)).toEqual([TORN]);
    await manager.refresh();
    expect(await manager.adopt({ refreshToken: "canary-r5" })).toBe(false);
  });

  it("becomes no sign-out if the new session has no access token yet", async () => {
    const world = worldWith();
    await using manager = managerOver(open(world));
    await manager.signIn(tokensOf(1));
    world.items.set("ada", TORN);
    await manager.signIn({ refreshToken: "canary-r2" }, OVER);
    await using other = managerOver(open(world));
    expect(await other.getAccessToken()).toBe("canary-a3");
    expect(sessionIn(world)).toBe("canary-r3");
  });

  it("becomes no sign-out if the process dies over it, and another program repairs it without its entry", async () => {
    const world = worldWith(itemWith(1));
    await open(world).store.load();
    world.items.set("ada", TORN);
    const backend = keychainOf(world);
    const dying: KeychainBackend = {
      ...backend,
      set: (service, ...rest) =>
        service === "tests" ? Promise.reject(new Error("killed")) : backend.set(service, ...rest),
    };
    await using killed = managerOver(open(world, dying));
    const sameSession = { ...tokensOf(1), accessToken: "canary-a2" };
    await expect(killed.signIn(sameSession, OVER)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    world.items.set("ada", '{ "theme": "dark" }');
    await using other = managerOver(open(world));
    expect(await other.getAccessToken()).toBe("canary-a2");
    expect(sessionIn(world)).toBe("canary-r1");
  });

  it("is replaced as a whole if its format cannot discard an entry", async () => {
    const world = worldWith("two tokens");
    await using manager = managerOver(open(world, undefined, rawTokenFormat()));
    await manager.signIn({ accessToken: "canary-a1" }, OVER);
    expect(world.items.get("ada")).toBe("canary-a1");
    expect(copiesOf(world)).toEqual(["two tokens"]);
  });

  it("is not replaced if another program repairs it first", async () => {
    const world = worldWith(TORN);
    const { store } = open(world);
    const { overwriteVersion } = await failureOf(store.load());
    const repaired = itemWith(8);
    world.items.set("ada", repaired);
    await expect(store.save(await record(1), overwriteVersion)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect([...world.items]).toEqual([["ada", repaired]]);
  });

  it("is not replaced if another program writes other text at that moment: the new session is stored beside it", async () => {
    const world = worldWith(TORN);
    const next = `${TORN}ess`;
    const backend = keychainOf(world);
    const racing: KeychainBackend = {
      ...backend,
      async set(service, account, secret) {
        if (account.includes("[unexpired")) world.items.set("ada", next);
        await backend.set(service, account, secret);
      },
    };
    const { overwriteVersion } = await failureOf(open(world).store.load());
    await open(world, racing)
      .store.save(await record(1), overwriteVersion)
      .catch(() => undefined);
    expect(world.items.get("ada")).toBe(next);
  });
});

describe("the copy of an unreadable item", () => {
  const failing = (world: World, overrides: Partial<KeychainBackend>): KeychainBackend => {
    const backend = keychainOf(world);
    const isCopy = (account: string) => account.includes("unreadable");
    return {
      ...backend,
      set: (service, account, secret) =>
        overrides.set && isCopy(account)
          ? overrides.set(service, account, secret)
          : backend.set(service, account, secret),
    };
  };

  it.each<[string, Partial<KeychainBackend>, object]>([
    ["refuses it", { set: () => Promise.reject(new Error("no")) }, { reason: "refused" }],
    ["drops it", { set: async () => undefined }, { reason: "refused", problem: expect.stringContaining("not hold") }],
  ])("is a condition of the sign-in: nothing is replaced if the keychain %s", async (_how, overrides, expected) => {
    const world = worldWith(TORN);
    await using manager = managerOver(open(world, failing(world, overrides)));
    const error = await failureOf(manager.signIn(tokensOf(1), OVER));
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", ...expected });
    expect(`${error}`).not.toContain("canary");
    expect([...world.items]).toEqual([["ada", TORN]]);
  });

  it("is not possible if the item is longer than the keychain permits", async () => {
    const text = TORN.padEnd(2_000);
    const world = worldWith(text);
    await using manager = managerOver(open(world, keychainOf(world, 1_500)));
    await expect(manager.signIn(tokensOf(1), OVER)).rejects.toMatchObject({
      reason: "too_long",
      message: expect.stringMatching(
        /cannot keep the text .* 2000 characters, and the keychain permits 1500\. Nothing/,
      ),
    });
    expect([...world.items]).toEqual([["ada", text]]);
  });

  it("is not written if the session would not fit into the item", async () => {
    const text = '{"oauth":{"accessToken":7}}';
    const world = worldWith(text);
    await using manager = managerOver(open(world, keychainOf(world, 50)));
    await expect(manager.signIn(tokensOf(1), OVER)).rejects.toMatchObject({
      reason: "too_long",
      hint: expect.stringContaining("Nothing was saved."),
    });
    expect([...world.items]).toEqual([["ada", text]]);
  });

  it("is kept of each text, once, and outlives the session", async () => {
    const world = worldWith();
    const { store } = open(world);
    await using manager = managerOver({ ...open(world), store });
    for (const text of ["{one", "{two", "{one"]) {
      world.items.set("ada", text);
      await manager.signIn(tokensOf(2), OVER);
    }
    await store.remove();
    expect(copiesOf(world).toSorted()).toEqual(["{one", "{two"]);
  });
});

it("tells a caller whose item could not be replaced", async () => {
  const world = worldWith(TORN);
  const backend = keychainOf(world);
  const readOnly: KeychainBackend = {
    ...backend,
    set: (service, account, secret) =>
      service === "tests" ? Promise.reject(new Error("no")) : backend.set(service, account, secret),
  };
  await using manager = managerOver(open(world, readOnly));
  await expect(manager.signIn(tokensOf(1), OVER)).rejects.toMatchObject({ reason: "refused" });
  expect(world.items.get("ada")).toBe(TORN);
});

describe("items of a session that are damaged", () => {
  const stores: [string, (world: World) => TokenStore][] = [
    ["a keychainStore", (world) => openStore(world)],
    ["a keychainStore with a format", (world) => open(world).store],
  ];

  const damage = ({ items }: World, text = "damaged") => {
    for (const key of items.keys()) if (key.includes("[unexpired")) items.set(key, text);
  };

  it.each(stores)("are replaced by a sign-in on request: %s", async (_which, openIn) => {
    const world = worldWith();
    await using before = managerOver({ store: openIn(world), pass: () => undefined });
    await before.signIn(tokensOf(1));
    damage(world);
    await using manager = managerOver({ store: openIn(world), pass: () => undefined }, issuer());
    const error = await failureOf(manager.signIn(tokensOf(2)));
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", reason: "damaged" });
    expect(error.hint).toContain('signIn(tokens, { over: "unreadable" })');
    await manager.signIn(tokensOf(2), OVER);
    await using other = managerOver({ store: openIn(world), pass: () => undefined });
    expect(await other.getAccessToken()).toBe("canary-a2");
    await other.refresh();
    expect(await other.getAccessToken()).toBe("canary-a3");
  });

  it.each(stores)("are replaced by a sign-out on request: %s", async (_which, openIn) => {
    const world = worldWith();
    await openIn(world).save(await record(1), undefined);
    damage(world);
    await using manager = managerOver({ store: openIn(world), pass: () => undefined });
    await manager.signOut(OVER);
    expect(await manager.hasSession()).toBe(false);
    expect(await openIn(world).load()).toBeDefined();
  });

  it.each(stores)(
    "are not replaced once they are restored, or with the version of the session: %s",
    async (_, openIn) => {
      const world = worldWith();
      const store = openIn(world);
      const version = await store.save(await record(1), undefined);
      const intact = new Map(world.items);
      damage(world);
      await expect(store.save(await record(2), version)).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
      const { overwriteVersion } = await failureOf(store.load());
      for (const [key, text] of intact) world.items.set(key, text);
      await expect(store.save(await record(2), overwriteVersion)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
      expect((await store.load())?.value).toContain("canary-a1");
    },
  );

  it.each(stores)("are not replaced once they are damaged in another way: %s", async (_, openIn) => {
    const world = worldWith();
    const store = openIn(world);
    await store.save(await record(1), undefined);
    damage(world);
    const { overwriteVersion } = await failureOf(store.load());
    damage(world, "damaged again");
    await expect(store.save(await record(2), overwriteVersion)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    await store.save(await record(2), (await failureOf(store.load())).overwriteVersion);
    expect((await store.load())?.value).toContain("canary-a2");
  });

  it("do not bring the session of the item back, which a sign-in over them replaces", async () => {
    const world = worldWith(itemWith(1));
    await open(world).store.load();
    damage(world);
    await using manager = managerOver(open(world));
    await manager.signIn(tokensOf(5), OVER);
    expect(sessionIn(world)).toBe("canary-r5");
    expect((await open(world).store.load())?.value).toContain("canary-r5");
  });

  it("are replaced together with an unreadable item, whose text is kept", async () => {
    const world = worldWith(itemWith(1));
    await open(world).store.load();
    damage(world);
    world.items.set("ada", TORN);
    await using manager = managerOver(open(world));
    await manager.signIn(tokensOf(5), OVER);
    expect([sessionIn(world), copiesOf(world)]).toEqual(["canary-r5", [TORN]]);
  });
});
