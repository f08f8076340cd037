/** Processes that kill themselves before their first, second, third, … change to the disk. */
import type { TokenStore } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import type { Task } from "../fixtures/run-task.ts";
import { runTask, Sandbox } from "../support/sandbox.ts";

const CONCURRENCY = 4;

interface CrashScenario {
  readonly prepare: (sandbox: Sandbox) => Promise<unknown>;
  readonly task: Omit<Task, "sandbox" | "killAt"> & { readonly keychain: "works" | "no_service" };
  readonly inspect: (sandbox: Sandbox) => Promise<unknown>;
}

/** Kills the process before the given change. Returns `true` if it survived before making that many changes. */
async function crashAt(killAt: number, { prepare, task, inspect }: CrashScenario): Promise<boolean> {
  using sandbox = new Sandbox();
  await prepare(sandbox);
  const { keychain, ...rest } = task;
  const result = await runTask({ ...rest, killAt, sandbox: { directory: sandbox.directory, keychain } });
  expect(result?.text, `change ${killAt}`).toBeUndefined();
  await inspect(sandbox);
  return result !== undefined;
}

/** Crashes a process before each of its changes. Returns the number of the first change that it did not reach. */
async function crashEverywhere(scenario: CrashScenario): Promise<number> {
  for (let first = 1; ; first += CONCURRENCY) {
    const numbers = Array.from({ length: CONCURRENCY }, (_, index) => first + index);
    const survived = await Promise.all(numbers.map((number) => crashAt(number, scenario)));
    if (survived.includes(true)) return numbers[survived.indexOf(true)] ?? 0;
  }
}

const saveOver = async (store: TokenStore) => store.save("canary-b", (await store.load())?.version);
const reasonOf = (error: { reason?: unknown }) => error.reason;

describe("a process that is killed before any of its changes", { timeout: 300_000 }, () => {
  it("leaves one session that the next process finds, and no plain text after that, during a migration", async () => {
    const states = new Set<string>();
    const changes = await crashEverywhere({
      prepare: (sandbox) => sandbox.file.save("canary-a", undefined),
      task: { keychain: "works", action: "load" },
      async inspect(sandbox) {
        const { keychain, file } = await sandbox.contents();
        states.add(`${keychain} ${file}`);
        const withoutKeychain = await sandbox.open("no_service").load().catch(reasonOf);
        expect(withoutKeychain).toEqual(
          sandbox.rememberedLocation ? "no_service" : expect.objectContaining({ value: "canary-a" }),
        );
        const store = sandbox.open();
        const found = await store.load();
        expect(found?.value).toBe("canary-a");
        expect(sandbox.plainTextFiles).toEqual([]);
        expect((await sandbox.contents()).keychain).toBe(found?.value);
        const version = await store.save("canary-c", found?.version);
        expect(await store.load()).toEqual({ value: "canary-c", version });
      },
    });
    expect(changes).toBeGreaterThan(20);
    // The kills covered the states between all steps.
    const steps = ["undefined canary-a", "canary-a canary-a", "canary-a ", "canary-a undefined"];
    expect([...states].sort()).toEqual([...steps].sort());
  });

  it.each(["works", "no_service"] as const)(
    "leaves one location that all processes use, during a first save (%s)",
    async (keychain) => {
      await crashEverywhere({
        prepare: async () => undefined,
        task: { keychain, action: "save", value: "canary-a" },
        async inspect(sandbox) {
          const other = sandbox.open(keychain === "works" ? "no_service" : "works");
          const failure = await saveOver(other).then(() => undefined, reasonOf);
          expect(failure).toBeOneOf([undefined, "no_service"]);
          const store = sandbox.open("works");
          const found = await store.load();
          const version = await store.save("canary-c", found?.version);
          expect(await store.load()).toEqual({ value: "canary-c", version });
          expect(Object.values(await sandbox.contents()).sort()).toEqual(["canary-c", undefined]);
          await store.remove();
          expect(sandbox.filesOutsideKeychain).toEqual([]);
        },
      });
    },
  );

  it("leaves the session or nothing, and lets another removal finish, during a removal", async () => {
    const states = new Set<unknown>();
    await crashEverywhere({
      async prepare(sandbox) {
        await sandbox.keychain.save("canary-a", undefined);
        await sandbox.remember({ store: "keychain", migratedVersion: await sandbox.file.save("canary-a", undefined) });
      },
      task: { keychain: "works", action: "remove" },
      async inspect(sandbox) {
        states.add((await sandbox.open().load())?.value);
        await sandbox.open().remove();
        expect(sandbox.filesOutsideKeychain).toEqual([]);
        expect(await sandbox.contents()).toEqual({ keychain: undefined, file: undefined });
      },
    });
    expect(states).toEqual(new Set(["canary-a", undefined]));
  });
});
