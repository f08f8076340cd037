/** The system's keychain: processes with a real Secret Service, with a locked one, and without D-Bus. */
import { describe, expect, it } from "vitest";
import type { Task, TaskResult } from "../fixtures/run-task.ts";
import { runTask, Sandbox } from "../support/sandbox.ts";
import { SecretServiceDaemon, secretServiceSkipReason } from "../support/secret-service-daemon.ts";

/** Runs a task in a separate process on the given bus. If omitted, the process has no D-Bus. */
async function runOnBus(
  sandbox: Sandbox,
  { bus, ...task }: Omit<Task, "sandbox"> & { bus?: string },
): Promise<TaskResult> {
  const { DBUS_SESSION_BUS_ADDRESS: _bus, XDG_RUNTIME_DIR: _runtime, ...rest } = process.env;
  const env = bus === undefined ? rest : { ...rest, DBUS_SESSION_BUS_ADDRESS: bus };
  return (await runTask({ ...task, sandbox: { directory: sandbox.directory, keychain: "real" } }, env)) ?? {};
}

const platformSkipReason = process.platform === "linux" ? undefined : "not applicable: Linux only";
const skipReason = platformSkipReason ?? secretServiceSkipReason();

describe("keychainOrFile on Linux", () => {
  it("stores the session in the file without D-Bus, and describes it as plain text", async (ctx) => {
    if (platformSkipReason !== undefined) ctx.skip(platformSkipReason);
    using sandbox = new Sandbox();
    const result = await runOnBus(sandbox, { action: "save", value: "canary-a" });
    expect(result.description).toMatch(/^The file .*, in plain text$/);
    expect(await runOnBus(sandbox, { action: "load" })).toEqual({ found: "canary-a", description: result.description });
    expect((await sandbox.file.load())?.value).toBe("canary-a");
  });

  it("stores the session in the Secret Service, keeps it there without D-Bus, and avoids plain text", async (ctx) => {
    if (skipReason !== undefined) ctx.skip(skipReason);
    using sandbox = new Sandbox();
    await using daemon = await SecretServiceDaemon.start();
    const bus = daemon.address;
    expect((await runOnBus(sandbox, { bus, action: "save", value: "canary-a" })).description).toMatch(
      /^The keychain item/,
    );
    expect(sandbox.plainTextFiles).toEqual([]);
    for (const action of ["load", "save", "remove"] as const) {
      const result = await runOnBus(sandbox, { action, value: "canary-b" });
      expect(result.reason).toBe("no_service");
      expect(result.text).not.toContain("canary");
    }
    expect((await runOnBus(sandbox, { bus, action: "load" })).found).toBe("canary-a");
    await runOnBus(sandbox, { bus, action: "remove" });
    expect(sandbox.filesOutsideKeychain).toEqual([]);
    expect(daemon.accountsOf("unexpired tests")).toEqual([]);
  });

  it("moves a session from the file when a Secret Service becomes available", async (ctx) => {
    if (skipReason !== undefined) ctx.skip(skipReason);
    using sandbox = new Sandbox();
    await sandbox.file.save("canary-a", undefined);
    await using daemon = await SecretServiceDaemon.start();
    const bus = daemon.address;
    const result = await runOnBus(sandbox, { bus, action: "save", value: "canary-b" });
    expect(result).toMatchObject({ found: "canary-a", description: expect.stringMatching(/^The keychain item/) });
    expect(sandbox.plainTextFiles).toEqual([]);
    expect((await runOnBus(sandbox, { bus, action: "load" })).found).toBe("canary-b");
  });

  it("writes no plain text if the Secret Service is locked", async (ctx) => {
    if (skipReason !== undefined) ctx.skip(skipReason);
    using sandbox = new Sandbox();
    await using daemon = await SecretServiceDaemon.start();
    daemon.lock();
    const result = await runOnBus(sandbox, { bus: daemon.address, action: "save", value: "canary-a" });
    expect(result.reason).toBe("locked");
    expect(sandbox.filesOutsideKeychain).toEqual([]);
  });
});
