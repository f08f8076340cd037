import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it, vi } from "vitest";
import { createTokenManager, fromKeyValue, type KeyValue } from "../../src/index.ts";
import { Issuer } from "../support/issuer.ts";
import { printed } from "../support/leaks.ts";

const pause = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 3));

/** An object whose methods are all slow. */
const slow = (map = new Map<string, string>()): KeyValue => ({
  get: (key) => pause().then(() => map.get(key)),
  set: (key, value) =>
    pause()
      .then(() => map.set(key, value))
      .then(pause),
  delete: (key) => pause().then(() => map.delete(key)),
});

/** Like unstorage, which parses everything that looks like JSON. */
const parsing = (): KeyValue => {
  const map = new Map<string, string>();
  return {
    get: async (key) => destr(map.get(key) ?? null),
    set: async (key, value: unknown) => map.set(key, typeof value === "string" ? value : JSON.stringify(value)),
    delete: async (key) => map.delete(key),
  };
};
const destr = (text: string | null): unknown => {
  if (text === null || !/^\s*["[{]|^\s*-?\d{1,16}(\.\d{1,17})?\s*$|^(true|false|null|undefined|nan)$/i.test(text))
    return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/** Like keyv and many others, which serialize values to JSON and parse them again. */
const serializing = (): KeyValue => {
  const map = new Map<string, string>();
  return {
    get: (key) => JSON.parse(map.get(key) ?? "null"),
    set: (key, value) => map.set(key, JSON.stringify(value)),
    delete: (key) => map.delete(key),
  };
};

describe.each<[string, () => KeyValue]>([
  ["a Map", () => new Map<string, string>()],
  ["a slow object", () => slow()],
  ["an object that parses what it reads", parsing],
  ["an object that serializes", serializing],
])("over %s", (_name, make) => {
  it("keeps any string", async () => {
    const store = fromKeyValue(make());
    expect(await store.load()).toBeUndefined();
    for (const value of ["", " ", "x\n y", '{"a":1}', "null", "true", "7", '"q"', "😀"]) {
      const version = await store.save(value, (await store.load())?.version);
      expect(await store.load()).toEqual({ value, version });
    }
  });

  it("saves only over the expected version", async () => {
    const store = fromKeyValue(make());
    await expect(store.save("0", "1")).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    const first = await store.save("1", undefined);
    const second = await store.save("2", first);
    for (const stale of [undefined, first])
      await expect(store.save("3", stale)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect(await store.load()).toEqual({ value: "2", version: second });
  });

  it("lets exactly one of a hundred concurrent saves win", async () => {
    const store = fromKeyValue(make());
    for (const expected of [undefined, (await store.load())?.version]) {
      if (expected === undefined) await store.remove();
      const results = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => store.save(`${i}`, expected)));
      const [winner, ...more] = results.filter((result) => result.status === "fulfilled");
      expect(more).toEqual([]);
      expect((await store.load())?.version).toBe(winner?.value);
    }
  });

  it("returns whole values from loads that overlap saves", async () => {
    const keyValue = make();
    const store = fromKeyValue({
      get: (key) => keyValue.get(key),
      delete: (key) => keyValue.delete(key),
      async set(key, value) {
        await keyValue.set(key, value.slice(0, -2)); // like a file that is written in place
        await pause();
        await keyValue.set(key, value);
      },
    });
    const values = Array.from({ length: 20 }, (_, i) => `value ${i}`);
    let version = await store.save("value 0", undefined);
    let isSaving = true;
    const reader = async () => {
      while (isSaving) expect(values).toContain((await store.load())?.value);
    };
    const readers = [reader(), reader(), reader()];
    for (const value of values) version = await store.save(value, version);
    isSaving = false;
    await Promise.all(readers);
  });

  it("never repeats a version, even after the session is removed and created again", async () => {
    const store = fromKeyValue(make());
    const versions = new Set<string>();
    for (let round = 0; round < 20; round++) {
      versions.add(await store.save("x", undefined));
      await store.remove();
      expect(await store.load()).toBeUndefined();
    }
    expect(versions.size).toBe(20);
  });

  it("lets a hundred callers of two managers share one exchange", async () => {
    const issuer = new Issuer();
    const store = fromKeyValue(make());
    const open = () => createTokenManager({ store, refresh: issuer.refresh });
    const [one, other] = [open(), open()];
    await one.signIn({ ...issuer.tokens(), expiresAt: 1 });
    const tokens = await Promise.all(Array.from({ length: 100 }, (_, i) => (i % 2 ? one : other).getAccessToken()));
    expect(new Set(tokens)).toEqual(new Set([canary("access", 2)]));
    expect(issuer.presented).toHaveLength(1);
    await Promise.all([one.close(), other.close()]);
  });
});

describe("a foreign value", () => {
  it.each([
    7,
    true,
    {},
    [],
    "",
    "canary",
    "unexpired",
    "unexpired ",
    "unexpired v1",
    "unexpiredx v1 value",
    '{"accessToken":"canary"}',
  ])("causes a StoreError that names the key, and is left unchanged: %o", async (value) => {
    const map = new Map<string, unknown>([["session", value]]);
    const store = fromKeyValue(map as unknown as KeyValue, { key: "session" });
    for (const attempt of [() => store.load(), () => store.save("x", undefined)]) {
      const error: unknown = await attempt().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: 'The key "session"' });
      expect(printed(error)).not.toContain("canary");
    }
    expect(map.get("session")).toBe(value);
  });

  it.each([undefined, null])("counts as no session if it is %o", async (value) => {
    expect(await fromKeyValue({ get: () => value, set: () => {}, delete: () => {} }).load()).toBeUndefined();
  });
});

describe("an object that throws", () => {
  const throwing = (method: keyof KeyValue, error: unknown): KeyValue => {
    const map = new Map<string, string>();
    const fail = () => {
      throw error;
    };
    return Object.assign(
      {
        get: (k: string) => map.get(k),
        set: (k: string, v: string) => map.set(k, v),
        delete: (k: string) => map.delete(k),
      },
      { [method]: fail },
    );
  };

  it.each(["get", "set", "delete"] as const)(
    "rejects the call if %s throws, and does not block later ones",
    async (method) => {
      const store = fromKeyValue(throwing(method, new Error("down")));
      const calls = { get: () => store.load(), set: () => store.save("x", undefined), delete: () => store.remove() };
      for (let round = 0; round < 3; round++) await expect(calls[method]()).rejects.toThrow("down");
      if (method === "delete") expect(await store.save("x", undefined)).toBeTypeOf("string");
    },
  );

  it.each(["get", "set"] as const)(
    "causes a StoreError without tokens in a manager if %s throws (P8)",
    async (method) => {
      const object = throwing(method, undefined);
      object[method] = (...given: string[]) => {
        throw Object.assign(new Error(`cannot ${given.join()}`), { given });
      };
      const manager = createTokenManager({ store: fromKeyValue(object) });
      const tokens = { accessToken: canary("access", 1), refreshToken: canary("refresh", 1) };
      const error: unknown = await manager.signIn(tokens).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: 'The key "unexpired"' });
      expect(printed(error)).not.toContain("canary");
    },
  );
});

describe("fromKeyValue", () => {
  it("repeats a read that a save has overlapped", async () => {
    const map = new Map<string, string>();
    const held: (() => void)[] = [];
    let isHeld = false;
    const store = fromKeyValue({
      get: (key) => (isHeld ? new Promise((resolve) => held.push(() => resolve(map.get(key)))) : map.get(key)),
      async set(key, value) {
        map.set(key, value.slice(0, -2));
        for (const finish of held) finish();
        await pause();
        map.set(key, value);
      },
      delete: (key) => map.delete(key),
    });
    const version = await store.save("first", undefined);
    isHeld = true;
    const loading = store.load();
    await expect.poll(() => held.length).toBe(1);
    isHeld = false;
    await store.save("second", version);
    expect((await loading)?.value).toBe("second");
  });

  it("uses the key 'unexpired' or the given one", async () => {
    const map = new Map<string, string>();
    await fromKeyValue(map).save("x", undefined);
    await fromKeyValue(map, { key: "other" }).save("x", undefined);
    expect([...map.keys()]).toEqual(["unexpired", "other"]);
    expect(fromKeyValue(map, { key: "other" }).describe()).toBe('The key "other"');
  });

  it.each<[string, [unknown, unknown], RegExp]>([
    ["null", [null, {}], /^fromKeyValue: expected an object with get, set and delete; get is undefined\.$/],
    ["an empty object", [{}, {}], /get is undefined\.$/],
    ["an object without delete", [{ get() {}, set() {} }, {}], /delete is undefined\.$/],
    ["a web Storage", [{ getItem() {}, setItem() {} }, {}], /get is undefined\.$/],
    ["an empty key", [new Map(), { key: "" }], /^key: expected a non-empty string, not an empty string\.$/],
    ["a misspelled option", [new Map(), { name: "x" }], /^fromKeyValue: unknown option "name"\. Supported: key\.$/],
    ["a key that is not a string", [new Map(), { key: 7 }], /^key: expected a non-empty string, not 7\.$/],
  ])("throws a TypeError for %s", (_name, [object, options], message) => {
    const make = () => fromKeyValue(object as KeyValue, options as object);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });

  it("promises compare-and-set within one store only: two stores over one object may both win", async () => {
    const object = slow();
    const [one, other] = [fromKeyValue(object), fromKeyValue(object)];
    expect(one.supports).toEqual({ compareAndSet: "process", durable: false });
    const results = await Promise.allSettled([one.save("1", undefined), other.save("2", undefined)]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]); // why the documentation warns
  });
});

describe("a key-value object with several stores", () => {
  const start = (object: KeyValue) => {
    const events: string[] = [];
    const manager = createTokenManager({ store: fromKeyValue(object) });
    manager.subscribe((event) => event.type === "store-shared" && events.push(event.location));
    return { events, manager };
  };

  it("is reported once, by the manager that finds a write of the other", async () => {
    const object = new Map<string, string>();
    const [one, other] = [start(object), start(object)];
    await one.manager.signIn({ accessToken: canary("access", 1) });
    await other.manager.signIn({ accessToken: canary("access", 2) });
    expect(one.events).toEqual([]);
    await one.manager.hasSession();
    await one.manager.hasSession();
    expect(one.events).toEqual(['The key "unexpired"']);
    expect(other.events).toEqual([]); // what it found first may come from an earlier run
  });

  it("is not reported if managers share the store or run one after the other", async () => {
    const object = new Map<string, string>();
    const store = fromKeyValue(object);
    const types: string[] = [];
    for (let number = 1; number <= 120; number++) {
      const manager = createTokenManager({ store: number > 100 ? fromKeyValue(object) : store });
      manager.subscribe(({ type }) => types.push(type));
      await Promise.all([manager.signIn({ accessToken: canary("access", number) }), manager.hasSession()]);
      await manager.hasSession();
    }
    expect(types).not.toContain("store-shared");
  });
});

it("notifies the managers that share the store of each other's changes", async () => {
  const store = fromKeyValue(new Map());
  const notified = vi.fn();
  const stop = store.watch?.(notified);
  const version = await store.save("1", undefined);
  await expect(store.save("2", "another")).rejects.toMatchObject({ code: "STORE_CONFLICT" });
  expect(notified).toHaveBeenCalledTimes(1);
  await store.remove();
  expect(notified).toHaveBeenCalledTimes(2);
  stop?.();
  await store.save("3", version).catch(() => {});
  expect(notified).toHaveBeenCalledTimes(2);
});

it("is not blocked for good by a write that never ends (P15)", async () => {
  vi.useFakeTimers();
  const map = new Map<string, string>();
  const set = vi.fn((key: string, value: string): unknown => map.set(key, value));
  const store = fromKeyValue({ get: (key) => map.get(key), set, delete: (key) => map.delete(key) });
  const version = await store.save("1", undefined);
  set.mockReturnValueOnce(new Promise(() => {}));
  void store.save("2", version);
  const loaded = store.load();
  await vi.advanceTimersByTimeAsync(31_000);
  expect(await loaded).toEqual({ value: "1", version });
  await store.save("3", version);
  expect((await store.load())?.value).toBe("3");
  vi.useRealTimers();
});
