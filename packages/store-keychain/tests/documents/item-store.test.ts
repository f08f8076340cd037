import type { StoreEvent } from "@unexpired/core";
import { jsonFormat, rawTokenFormat } from "@unexpired/store-node";
import { nodeFileSystem } from "@unexpired/store-node/chain";
import { describe, expect, it } from "vitest";
import type { KeychainBackend } from "../../src/index.ts";
import {
  fields,
  HOUR,
  issuer,
  itemWith,
  keychainOf,
  managerOver,
  open,
  openWith,
  restOf,
  sessionIn,
  worldWith,
} from "../support/item-world.ts";
import type { World } from "../support/memory-keychain.ts";

const SIGNED_OUT = '{ "theme": "dark" }';

describe("a session in another program's item", () => {
  it("is read, refreshed and written back, and every other byte stays", async () => {
    const before = itemWith(1, -HOUR);
    const world = worldWith(before);
    const refresh = issuer();
    await using tokens = managerOver(open(world), refresh);
    expect(await tokens.getAccessToken()).toBe("canary-a2");
    expect(refresh.presented).toEqual(["canary-r1"]);
    expect(sessionIn(world)).toBe("canary-r2");
    expect(restOf(world.items.get("ada"))).toBe(restOf(before));
  });

  it("is presented once by two processes", async () => {
    const world = worldWith(itemWith(1, -HOUR));
    const refresh = issuer();
    await using a = managerOver(open(world), refresh);
    await using b = managerOver(open(world), refresh);
    expect(await Promise.all([a.getAccessToken(), b.getAccessToken()])).toEqual(["canary-a2", "canary-a2"]);
    expect(refresh.presented).toEqual(["canary-r1"]);
  });

  it("is kept in items under another service, which the other program does not find", async () => {
    const world = worldWith(itemWith(1));
    await using tokens = managerOver(open(world));
    await tokens.refresh();
    const own = [...world.items.keys()].filter((key) => key !== "ada");
    expect(own.length).toBeGreaterThan(0);
    for (const key of own) expect(key).toMatch(/^Unexpired: tests\/ada \[unexpired /);
  });

  it("is adopted when the other program refreshes it or signs in again, and published before it is used", async () => {
    const world = worldWith(itemWith(1));
    const { store } = open(world);
    await using tokens = managerOver({ ...open(world), store });
    expect(await tokens.getAccessToken()).toBe("canary-a1");
    world.items.set("ada", itemWith(7));
    const { version } = (await store.load()) ?? {};
    expect(version).toMatch(/^\d+-[0-9a-f]{16}$/); // a generation of the chain
    world.items.delete("ada");
    expect([...world.items.values()].join()).toContain("canary-a7");
    world.items.set("ada", itemWith(7));
    await tokens.hasSession();
    expect(await tokens.getAccessToken()).toBe("canary-a7");
  });

  it("is written again if the other program puts back a spent token", async () => {
    const old = itemWith(1, -HOUR);
    const world = worldWith(old);
    const refresh = issuer();
    await using tokens = managerOver(open(world), refresh);
    await tokens.getAccessToken();
    world.items.set("ada", old);
    await tokens.hasSession();
    expect(await tokens.getAccessToken()).toBe("canary-a2");
    expect(refresh.presented).toEqual(["canary-r1"]);
    expect(sessionIn(world)).toBe("canary-r2");
  });

  it.each([
    ["is emptied", ({ items }: World) => void items.set("ada", '{ "theme": "dark" }')],
    ["is deleted", ({ items }: World) => void items.delete("ada")],
  ])("is signed out once the item %s for a second, over two looks", async (_how, end) => {
    const world = worldWith(itemWith(1));
    const process = open(world);
    await using tokens = managerOver(process);
    await tokens.getAccessToken();
    end(world);
    expect(await tokens.hasSession()).toBe(true);
    process.pass(1_000);
    expect(await tokens.hasSession()).toBe(false);
    await expect(tokens.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
    expect(sessionIn(world)).toBeUndefined();
  });

  it("is not signed out if the item is back when that is stored", async () => {
    const world = worldWith(itemWith(1));
    const text = world.items.get("ada") ?? "";
    const backend = keychainOf(world);
    let isGone = false;
    const process = open(world, {
      ...backend,
      async set(service, account, secret) {
        if (isGone && service !== "tests") world.items.set("ada", text);
        await backend.set(service, account, secret);
      },
    });
    await process.store.load();
    world.items.delete("ada");
    isGone = true;
    await process.store.load(); // waits for the second
    expect(sessionIn(world)).toBe("canary-r1");
    expect((await process.store.load())?.value).toContain("canary-a1");
  });

  it("is signed out if the other program signs out before the item is looked at again after an adoption", async () => {
    const world = worldWith(itemWith(1));
    await open(world).store.load();
    world.items.set("ada", itemWith(2));
    const { store } = openWith(world, {
      calls: {
        async link(from, to) {
          await nodeFileSystem.link(from, to);
          if (/\/\d+$/.test(to)) world.items.set("ada", SIGNED_OUT); // right after the adoption is published
        },
      },
    });
    expect((await store.load())?.value).toContain('"signed_out"');
    expect(world.items.get("ada")).toBe(SIGNED_OUT);
  });

  it("is written at once into an item that is blank, as no program writes an item in steps", async () => {
    const world = worldWith(" \n");
    await using tokens = managerOver(open(world));
    await tokens.signIn({ accessToken: "canary-a1", refreshToken: "canary-r1", expiresAt: Date.now() + HOUR });
    expect(sessionIn(world)).toBe("canary-r1");
  });

  it("is not what a write that had failed puts into the item later, after a sign-in", async () => {
    const world = worldWith(itemWith(1));
    const backend = keychainOf(world);
    let landLate: (() => void) | undefined;
    const slow = {
      ...backend,
      async set(service: string, account: string, secret: string) {
        const isLate = service === "tests" && secret.includes("canary-a2") && !landLate;
        if (!isLate) return backend.set(service, account, secret);
        landLate = () => void world.items.set("ada", secret);
        throw new Error("timed out");
      },
    };
    const { store } = open(world, slow); // which nothing watches, so that it does not try again
    const { value = "", version } = (await store.load()) ?? {};
    await store.save(value.replaceAll("canary-a1", "canary-a2").replaceAll("canary-r1", "canary-r2"), version);
    expect([sessionIn(world), landLate]).toEqual(["canary-r1", expect.any(Function)]);
    await using next = managerOver(open(world));
    await next.signIn({ accessToken: "canary-a9", refreshToken: "canary-r9", expiresAt: Date.now() + HOUR });
    await store.load(); // finds the later session shown
    landLate?.();
    await open(world).store.load();
    expect(sessionIn(world)).toBe("canary-r9");
  });

  it("waits for the second at the first look", async () => {
    const world = worldWith(itemWith(1));
    await using before = managerOver(open(world));
    await before.getAccessToken();
    world.items.set("ada", "{}");
    await using tokens = managerOver(open(world));
    await expect(tokens.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });

  it("leaves the item when it is signed out, and a later sign-in of the other program is adopted", async () => {
    const world = worldWith(itemWith(1));
    await using tokens = managerOver(open(world));
    await tokens.getAccessToken();
    await tokens.signOut({ revoke: false });
    expect(world.items.get("ada")).toContain('"theme": "dark"');
    expect(sessionIn(world)).toBeUndefined();
    world.items.set("ada", itemWith(5));
    expect(await tokens.getAccessToken()).toBe("canary-a5");
  });

  it("is created with its item, once it has an access token", async () => {
    const world = worldWith();
    await using tokens = managerOver(open(world));
    await tokens.signIn({ refreshToken: "canary-r1" });
    expect(world.items.has("ada")).toBe(false);
    await tokens.getAccessToken();
    expect(sessionIn(world)).toBe("canary-r2");
  });

  it("waits for an item that is being written, for two seconds, and keeps the session", async () => {
    const world = worldWith(itemWith(1));
    await using tokens = managerOver(open(world));
    await tokens.getAccessToken();
    const torn = itemWith(1).slice(0, 70);
    world.items.set("ada", torn);
    const error = await open(world)
      .store.load()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", version: expect.any(String) });
    expect(String(error)).not.toContain("canary");
    expect(world.items.get("ada")).toBe(torn);
  });

  it("is removed from the item by remove(), together with its own items", async () => {
    const world = worldWith(itemWith(1));
    const { store } = open(world);
    await store.load();
    await store.remove();
    expect([...world.items.keys()]).toEqual(["ada"]);
    expect(world.items.get("ada")).toContain('"theme": "dark"');
    expect(sessionIn(world)).toBeUndefined();
    expect(await store.load()).toBeUndefined();
  });

  it("continues with what the other program has if its own items were deleted", async () => {
    const world = worldWith(itemWith(1));
    await open(world).store.load();
    for (const key of world.items.keys()) if (key !== "ada") world.items.delete(key);
    const { store } = open(world);
    expect(await store.load()).toMatchObject({ value: expect.stringContaining("canary-a1") });
    await store.save("next", (await store.load())?.version);
  });

  it("does not bring back an account that a sign-in replaced, if the process died before it wrote the item", async () => {
    const world = worldWith(itemWith(1));
    const { store } = open(world);
    await store.load();
    const backend = keychainOf(world);
    const dying: KeychainBackend = {
      ...backend,
      set: (service, ...rest) =>
        service === "tests" ? Promise.reject(new Error("killed")) : backend.set(service, ...rest),
    };
    await using killed = managerOver(open(world, dying));
    await killed.signIn({ accessToken: "canary-b1", refreshToken: "canary-r100", expiresAt: Date.now() + HOUR });
    expect(sessionIn(world)).toBe("canary-r1");
    await store.load();
    expect(sessionIn(world)).toBe("canary-r100");
    world.items.set("ada", itemWith(1)); // now the other program switches back
    expect((await store.load())?.value).toContain("canary-a1");
  });
});

describe("two writers of one item", () => {
  /** Runs `act` right before, or right after, the given look at the other program's item. */
  const atLook = (
    world: World,
    look: number,
    act: Partial<Record<"before" | "after", () => unknown>>,
  ): KeychainBackend => {
    const backend = keychainOf(world);
    let looks = 0;
    return {
      ...backend,
      async get(service, account) {
        const isNow = service === "tests" && ++looks === look;
        if (isNow) await act.before?.();
        const found = await backend.get(service, account);
        if (isNow) await act.after?.();
        return found;
      },
    };
  };

  it.each([1, 2])("keeps what the other program writes after look %i of a save", async (look) => {
    const world = worldWith(itemWith(1));
    const { value = "", version } = (await open(world).store.load()) ?? {};
    const after = () => void world.items.set("ada", itemWith(1).replace("dark", "light"));
    const { store } = open(world, atLook(world, look, { after }));
    await store.save(value.replaceAll("canary-r1", "canary-r2").replaceAll("canary-a1", "canary-a2"), version);
    expect(world.items.get("ada")).toContain("light");
    expect(sessionIn(world)).toBe("canary-r2");
  });

  it("does not put back a session that another process signs out during a look", async () => {
    const world = worldWith(itemWith(1));
    await managerOver(open(world)).refresh();
    world.items.set("ada", itemWith(1)); // a spent token, so the session has to be written again
    const before = () => managerOver(open(world)).signOut({ revoke: false });
    const backend = atLook(world, 2, { before });
    const written: string[] = [];
    const { store } = open(world, {
      ...backend,
      async set(service, account, secret) {
        if (service === "tests") written.push(secret);
        await backend.set(service, account, secret);
      },
    });
    await store.load();
    expect(written.join()).not.toContain("canary");
    expect(sessionIn(world)).toBeUndefined();
  });
});

describe("remove()", () => {
  /** Calls back when the first of the session's own items is deleted. */
  const whenDeleting = (world: World, act: () => void): KeychainBackend => {
    const backend = keychainOf(world);
    return {
      ...backend,
      async delete(service, account) {
        if (service !== "tests") act();
        await backend.delete(service, account);
      },
    };
  };

  it("removes the session from the other program's item before its own items, so that no process adopts it", async () => {
    const world = worldWith(itemWith(1));
    const found: unknown[] = [];
    const { store } = open(
      world,
      whenDeleting(world, () => void found.push(sessionIn(world))),
    );
    await store.load();
    await store.remove();
    expect(new Set(found)).toEqual(new Set([undefined]));
  });

  it("removes a session that another process has just written into the item", async () => {
    const world = worldWith(itemWith(1));
    const { store } = open(
      world,
      whenDeleting(world, () => void world.items.set("ada", itemWith(1))),
    );
    await store.load();
    await store.remove();
    expect(sessionIn(world)).toBeUndefined();
  });
});

describe("an item that cannot hold the session", () => {
  const session = { accessToken: "canary-a9", refreshToken: "canary-r9", expiresAt: Date.now() + HOUR };

  it("is left alone if it would become too long, until there is room again: events tell, and the session is saved", async () => {
    const before = itemWith(1);
    const world = worldWith(before);
    const process = open(world, keychainOf(world, before.length + 10));
    const events: StoreEvent[] = [];
    process.store.subscribe?.((event) => void events.push(event));
    await using tokens = managerOver(process);
    await tokens.signIn({ ...session, accessToken: `canary-a9${"x".repeat(200)}` });
    await tokens.hasSession();
    expect(world.items.get("ada")).toBe(before);
    const location = 'The keychain item "tests" for account "ada"';
    const message = expect.stringMatching(
      /^The keychain item .* cannot hold the session: .* the keychain permits \d+\. /,
    );
    expect(events).toEqual([{ type: "document-failed", location, reason: "unavailable", message }]);
    expect(JSON.stringify(events)).not.toContain("canary");
    await using other = managerOver(open(world, keychainOf(world, 10_000)));
    expect(await other.getAccessToken()).toMatch(/^canary-a9/);
    await tokens.signIn(session);
    expect(sessionIn(world)).toBe("canary-r9");
    expect(events.slice(1)).toEqual([{ type: "document-recovered", location }]);
  });

  it("counts bytes with keytar, as Windows does", async () => {
    const before = itemWith(1);
    const bytes = Buffer.byteLength(before);
    const world = worldWith(before);
    const process = open(world, { ...keychainOf(world, bytes - 1), name: "keytar" });
    const events: StoreEvent[] = [];
    process.store.subscribe?.((event) => void events.push(event));
    await process.store.save(
      (await process.store.load())?.value.replaceAll("r1", "r2") ?? "",
      (await process.store.load())?.version,
    );
    expect(events).toMatchObject([{ message: expect.stringContaining(`${bytes} bytes`) }]);
  });

  it("refuses a session with a refresh token that its format has no room for", async () => {
    const world = worldWith("canary-a1");
    await using tokens = managerOver(open(world, undefined, rawTokenFormat()));
    await expect(tokens.signIn(session)).rejects.toMatchObject({
      code: "CONFIGURATION",
      message: expect.stringContaining("no room"),
    });
    expect(world.items.get("ada")).toBe("canary-a1");
    expect([...world.items].filter(([, text]) => text.includes("canary-a9"))).toEqual([]);
    expect(await tokens.getAccessToken()).toBe("canary-a1");
  });
});

it.each([
  ["1,000", undefined, true],
  ["32, if they would need many items,", 2_000, false],
])("remembers the last %s used tokens", (_count, limit, foreignDocuments) => {
  const world = worldWith();
  expect(open(world, keychainOf(world, limit)).store.supports).toMatchObject({ foreignDocuments });
});

it("keeps two sessions in one item side by side", async () => {
  const entry = (id: string) => jsonFormat({ at: ["pool", { where: { id } }], fields });
  const expired = '"expiresAt": 1000';
  const world = worldWith(`{ "pool": [
    { "id": "one", "accessToken": "canary-a1", "refreshToken": "canary-r1", ${expired} }, // ours
    { "id": "two", "accessToken": "canary-a10", "refreshToken": "canary-r10", ${expired} },
  ] }`);
  const before = restOf(world.items.get("ada"));
  const refresh = issuer();
  await using one = managerOver(open(world, undefined, entry("one")), refresh);
  await using two = managerOver(open(world, undefined, entry("two")), refresh);
  expect(await one.getAccessToken()).toBe("canary-a2");
  expect(await two.getAccessToken()).toBe("canary-a11");
  await one.hasSession();
  expect(refresh.presented).toEqual(["canary-r1", "canary-r10"]);
  expect(world.items.get("ada")).toMatch(/canary-r2".*\n.*canary-r11"/);
  expect(restOf(world.items.get("ada"))).toBe(before);
});
