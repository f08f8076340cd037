import { fromKeyValue, memoryStore, type TokenStore } from "@unexpired/core";
import { afterEach, expect, it, vi } from "vitest";
import {
  ConformanceError,
  describeTokenStore,
  type Runner,
  runCase,
  type StoreHarness,
  type StoreOptions,
  storeCases,
} from "../src/index.ts";

type Test = Parameters<Runner["it"]>;

/** Returns the tests that the kit defines, recorded by a fake runner. */
function testsOf(harness: StoreHarness, options?: StoreOptions): readonly Test[] {
  const tests: Test[] = [];
  const describe = (_name: string, body: () => void) => body();
  describeTokenStore({ describe, it: (...test) => tests.push(test) }, harness, options);
  return tests;
}

const memory: StoreHarness = {
  create() {
    const store = memoryStore();
    return { open: () => store };
  },
};
const NO_HOLDER = "distinguishes a killed holder from a running or stopped one";

const printed = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
afterEach(() => printed.mockClear());

const one = (name: string, harness = memory): Test => {
  const found = testsOf(harness).find((each) => each[0] === name);
  if (!found) throw new TypeError(`No test is named "${name}".`);
  return found;
};

it("defines a test with a timeout for each case", () => {
  const tests = testsOf(memory);
  expect(tests.map(([name]) => name)).toEqual(storeCases.map(({ name }) => name));
  for (const [, body, timeout] of tests) expect([body.length, timeout]).toEqual([0, 120_000]);
});

it("leaves time for the cases with processes if an operation may take longer", () => {
  for (const [, , timeout] of testsOf(memory, { timeout: 60_000 })) expect(timeout).toBe(160_000);
});

it("prints each skipped case once if the runner cannot skip", async () => {
  for (const [, body] of testsOf(memory)) await body.call(undefined);
  const lines = printed.mock.calls.map(([line]) => line);
  expect(lines).toContain(`skipped: ${NO_HOLDER} (not promised: the store has no holder)\n`);
  expect(lines).toContain(
    'skipped: loses no update if 8 processes increment up to 100 times each (not promised: supports.compareAndSet is "process")\n',
  );
  expect(new Set(lines).size).toBe(lines.length);
});

it("skips a test through the context, with the reason", async () => {
  const skip = vi.fn();
  await one(NO_HOLDER)[1].call({ skip }, { skip });
  expect(skip.mock.calls).toEqual([["not promised: the store has no holder"]]);
});

it("sets the timeout and skips through mocha's context", async () => {
  const pending = new Error("pending");
  const skip = vi.fn(() => {
    throw pending;
  });
  const timeout = vi.fn();
  await expect(one(NO_HOLDER)[1].call({ skip, timeout })).rejects.toBe(pending);
  expect(timeout.mock.calls).toEqual([[120_000]]);
});

it("neither skips nor prints a case that runs", async () => {
  const skip = vi.fn();
  await one("round-trips Unicode")[1].call({ skip }, { skip });
  expect(skip).not.toHaveBeenCalled();
  expect(printed).not.toHaveBeenCalled();
});

it("reports a save that ignores the expected version, with the clause of the contract", async () => {
  const harness: StoreHarness = {
    create() {
      const store = memoryStore();
      const save: TokenStore["save"] = async (value) => store.save(value, (await store.load())?.version);
      return { open: () => ({ ...store, save }) };
    },
  };
  const [, body] = one("rejects a save with a stale version", harness);
  const failure: unknown = await body.call(undefined).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ConformanceError);
  expect(
    String(failure),
  ).toBe(`ConformanceError: save("refused", "1") was accepted, although another save() has been accepted since that version. It resolved to "3".
The store contract: save(value, expected) stores the value only if the version is still \`expected\`, and otherwise rejects with StoreConflictError.
See docs/writing-a-store.md#save`);
});

/** A harness whose stores fail to close. `keyValueOf` decides whether they see each other's saves. */
function unclosable(done: string[], keyValueOf: (shared: Map<string, string>) => Map<string, string>): StoreHarness {
  return {
    create() {
      const shared = new Map<string, string>();
      return {
        open: () => ({
          ...fromKeyValue(keyValueOf(shared)),
          supports: { compareAndSet: "host", durable: false },
          async [Symbol.asyncDispose]() {
            done.push("closed");
            throw new Error("The store cannot be closed.");
          },
        }),
        dispose: () => void done.push("removed"),
      };
    },
  };
}

const VISIBLE = "makes a save visible to every other holder immediately";

it("closes and removes everything after each case, and fails if that fails", async () => {
  const done: string[] = [];
  const [, body] = one(
    VISIBLE,
    unclosable(done, (shared) => shared),
  );
  await expect(body.call(undefined)).rejects.toThrow("The store cannot be closed.");
  expect(done).toEqual(["closed", "closed", "closed", "removed"]);
});

it("reports the failure of the case even if closing fails, too", async () => {
  const done: string[] = [];
  const [, body] = one(
    VISIBLE,
    unclosable(done, () => new Map()),
  );
  await expect(body.call(undefined)).rejects.toThrow('After save("first") by one store');
  expect(done).toEqual(["closed", "closed", "closed", "removed"]);
});

/** Never settles. */
const hang = () => new Promise<never>(() => {});
const hanging: Readonly<Record<string, StoreHarness["create"]>> = {
  "open() of the harness": () => ({ open: hang }),
  "load()": () => ({ open: () => ({ ...memoryStore(), load: hang }) }),
  "save()": () => ({ open: () => ({ ...memoryStore(), save: hang }) }),
  "remove()": () => ({ open: () => ({ ...memoryStore(), remove: hang }) }),
  "Closing the store": () => ({ open: () => ({ ...memoryStore(), [Symbol.asyncDispose]: hang }) }),
};

it.each(Object.entries(hanging))("fails a case in the given time if this hangs: %s", async (what, create) => {
  const each = storeCases.find(({ name }) => name.startsWith("removes the stored value"));
  if (!each) throw new TypeError("No such case.");
  const failure = await runCase(each, { create }, { timeout: 50 }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ConformanceError);
  expect(String(failure)).toContain(`${what} did not settle within 50 ms.`);
});

it("accepts a frozen store", async () => {
  const create: StoreHarness["create"] = () => {
    const store = Object.freeze(memoryStore());
    return { open: () => store };
  };
  for (const each of storeCases) await runCase(each, { create });
});
