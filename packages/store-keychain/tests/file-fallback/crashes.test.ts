/** Processes that end themselves before each change that they make to a disk, one after the other. */
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

/** Whether the process came through. */
async function crashAt(killAt: number, { prepare, task, inspect }: CrashScenario): Promise<boolean> {
  using sandbox = new Sandbox();
  await prepare(sandbox);
  const { keychain, ...rest } = task;
  const result = await runTask({ ...rest, killAt, sandbox: { directory: sandbox.directory, keychain } });
  expect(result?.text, `change ${killAt}`).toBeUndefined();
  await inspect(sandbox);
  return result !== undefined;
}

/** How many changes there were. */
async function crashEverywhere(scenario: CrashScenario): Promise<number> {
  for (let first = 1; ; first += CONCURRENCY) {
    const numbers = Array.from({ length: CONCURRENCY }, (_, index) => first + index);
    const ended = await Promise.all(numbers.map((number) => crashAt(number, scenario)));
    if (ended.includes(true)) return numbers[ended.indexOf(true)] ?? 0;
  }
}

const saveOver = async (store: TokenStore) => store.save("canary-b", (await store.load())?.version);
const reasonOf = (error: { reason?: unknown }) => error.reason;

describe("a process that dies before any of its changes", { timeout: 300_000 }, () => {
  it("while it moves the session from the file leaves it to be found, once, and no plain text for long", async () => {
    const seen = new Set<string>();
    const changes = await crashEverywhere({
      prepare: (sandbox) => sandbox.file.save("canary-a", undefined),
      task: { keychain: "works", action: "load" },
      async inspect(sandbox) {
        const { keychain, file } = await sandbox.contents();
        seen.add(`${keychain} ${file}`);
        const elsewhere = await sandbox.open("no_service").load().catch(reasonOf);
        expect(elsewhere).toEqual(
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
    // It died between all of its steps.
    const steps = ["undefined canary-a", "canary-a canary-a", "canary-a ", "canary-a undefined"];
    expect([...seen].sort()).toEqual([...steps].sort());
  });

  it.each(["works", "no_service"] as const)(
    "of a first save (%s) leaves one place for all who come",
    async (keychain) => {
      await crashEverywhere({
        prepare: async () => undefined,
        task: { keychain, action: "save", value: "canary-a" },
        async inspect(sandbox) {
          const other = sandbox.open(keychain === "works" ? "no_service" : "works");
          const refusal = await saveOver(other).then(() => undefined, reasonOf);
          expect(refusal).toBeOneOf([undefined, "no_service"]);
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

  it("of a removal leaves the session, or nothing, and another removal the rest", async () => {
    const seen = new Set<unknown>();
    await crashEverywhere({
      async prepare(sandbox) {
        await sandbox.keychain.save("canary-a", undefined);
        await sandbox.remember({ store: "keychain", migratedVersion: await sandbox.file.save("canary-a", undefined) });
      },
      task: { keychain: "works", action: "remove" },
      async inspect(sandbox) {
        seen.add((await sandbox.open().load())?.value);
        await sandbox.open().remove();
        expect(sandbox.filesOutsideKeychain).toEqual([]);
        expect(await sandbox.contents()).toEqual({ keychain: undefined, file: undefined });
      },
    });
    expect(seen).toEqual(new Set(["canary-a", undefined]));
  });
});
