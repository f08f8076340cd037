import { fromKeyValue, memoryStore, type TokenStore } from "@unexpired/core";
import { afterEach, expect, test, vi } from "vitest";
import { ConformanceError, describeTokenStore, type Runner, type StoreHarness, storeCases } from "../src/index.ts";

type Test = Parameters<Runner["it"]>;

/** The tests that are defined in a runner of its own. */
function testsOf(harness: StoreHarness): readonly Test[] {
  const tests: Test[] = [];
  const describe = (_name: string, body: () => void) => body();
  describeTokenStore({ describe, it: (...test) => tests.push(test) }, harness);
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
  if (!found) throw new TypeError(`There is no test "${name}".`);
  return found;
};

test("each case is a test, with time for it", () => {
  const tests = testsOf(memory);
  expect(tests.map(([name]) => name)).toEqual(storeCases.map(({ name }) => name));
  for (const [, body, timeout] of tests) expect([body.length, timeout]).toEqual([0, 120_000]);
});

test("a runner that can skip nothing is told of what is not promised by print, once", async () => {
  for (const [, body] of testsOf(memory)) await body.call(undefined);
  const lines = printed.mock.calls.map(([line]) => line);
  expect(lines).toContain(`skipped: ${NO_HOLDER} (not promised: the store has no holder)\n`);
  expect(lines).toContain(
    'skipped: loses no update if 8 processes increment 100 times each (not promised: supports.compareAndSet is "process")\n',
  );
  expect(new Set(lines).size).toBe(lines.length);
});

test("a test's context skips it, with the reason", async () => {
  const skip = vi.fn();
  await one(NO_HOLDER)[1].call({ skip }, { skip });
  expect(skip.mock.calls).toEqual([["not promised: the store has no holder"]]);
});

test("mocha's own context gives it time and skips it", async () => {
  const pending = new Error("pending");
  const skip = vi.fn(() => {
    throw pending;
  });
  const timeout = vi.fn();
  await expect(one(NO_HOLDER)[1].call({ skip, timeout })).rejects.toBe(pending);
  expect(timeout.mock.calls).toEqual([[120_000]]);
});

test("a case that can be run is neither skipped nor printed", async () => {
  const skip = vi.fn();
  await one("round-trips Unicode")[1].call({ skip }, { skip });
  expect(skip).not.toHaveBeenCalled();
  expect(printed).not.toHaveBeenCalled();
});

test("a save that ignores what is expected is told what is wrong, and where the contract says so", async () => {
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

/** A harness whose stores do not see each other's saves, or do, and do not close. */
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
            throw new Error("It does not close.");
          },
        }),
        dispose: () => void done.push("removed"),
      };
    },
  };
}

const VISIBLE = "makes a save visible to every other holder immediately";

test("what was opened is closed and removed after each case, and what fails then fails the test", async () => {
  const done: string[] = [];
  const [, body] = one(
    VISIBLE,
    unclosable(done, (shared) => shared),
  );
  await expect(body.call(undefined)).rejects.toThrow("It does not close.");
  expect(done).toEqual(["closed", "closed", "closed", "removed"]);
});

test("a case that fails says so, whatever fails after it", async () => {
  const done: string[] = [];
  const [, body] = one(
    VISIBLE,
    unclosable(done, () => new Map()),
  );
  await expect(body.call(undefined)).rejects.toThrow('After save("first") by one store');
  expect(done).toEqual(["closed", "closed", "closed", "removed"]);
});
