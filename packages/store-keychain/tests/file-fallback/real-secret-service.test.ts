/** The system's own keychain, or none: processes with a real Secret Service, with a locked one, and without a D-Bus. */
import { describe, expect, it } from "vitest";
import type { Task, TaskResult } from "../fixtures/run-task.ts";
import { runTask, Sandbox } from "../support/sandbox.ts";
import { SecretServiceDaemon, secretServiceSkipReason } from "../support/secret-service-daemon.ts";

/** Does it in a process of its own, on that bus; without one there is none. */
async function perform(
  sandbox: Sandbox,
  { bus, ...task }: Omit<Task, "sandbox"> & { bus?: string },
): Promise<TaskResult> {
  const { DBUS_SESSION_BUS_ADDRESS: _bus, XDG_RUNTIME_DIR: _runtime, ...rest } = process.env;
  const env = bus === undefined ? rest : { ...rest, DBUS_SESSION_BUS_ADDRESS: bus };
  return (await runTask({ ...task, sandbox: { directory: sandbox.directory, keychain: "real" } }, env)) ?? {};
}

const onLinux = process.platform === "linux" ? undefined : "not applicable: Linux only";
const reason = onLinux ?? secretServiceSkipReason();

describe("on Linux", () => {
  it("without a D-Bus the session goes to the file, and says so", async (ctx) => {
    if (onLinux !== undefined) ctx.skip(onLinux);
    using sandbox = new Sandbox();
    const result = await perform(sandbox, { action: "save", value: "canary-a" });
    expect(result.description).toMatch(/^The file .*, in plain text$/);
    expect(await perform(sandbox, { action: "load" })).toEqual({ found: "canary-a", description: result.description });
    expect((await sandbox.file.load())?.value).toBe("canary-a");
  });

  it("with a Secret Service it goes there, stays there without a D-Bus, and leaves nothing on the disk", async (ctx) => {
    if (reason !== undefined) ctx.skip(reason);
    using sandbox = new Sandbox();
    await using daemon = await SecretServiceDaemon.start();
    const bus = daemon.address;
    expect((await perform(sandbox, { bus, action: "save", value: "canary-a" })).description).toMatch(
      /^The keychain item/,
    );
    expect(sandbox.plainTextFiles).toEqual([]);
    for (const action of ["load", "save", "remove"] as const) {
      const result = await perform(sandbox, { action, value: "canary-b" });
      expect(result.reason).toBe("no_service");
      expect(result.text).not.toContain("canary");
    }
    expect((await perform(sandbox, { bus, action: "load" })).found).toBe("canary-a");
    await perform(sandbox, { bus, action: "remove" });
    expect(sandbox.filesOutsideKeychain).toEqual([]);
    expect(daemon.accountsOf("unexpired tests")).toEqual([]);
  });

  it("a session that was in the file moves when there is a Secret Service", async (ctx) => {
    if (reason !== undefined) ctx.skip(reason);
    using sandbox = new Sandbox();
    await sandbox.file.save("canary-a", undefined);
    await using daemon = await SecretServiceDaemon.start();
    const bus = daemon.address;
    const result = await perform(sandbox, { bus, action: "save", value: "canary-b" });
    expect(result).toMatchObject({ found: "canary-a", description: expect.stringMatching(/^The keychain item/) });
    expect(sandbox.plainTextFiles).toEqual([]);
    expect((await perform(sandbox, { bus, action: "load" })).found).toBe("canary-b");
  });

  it("a Secret Service that is locked is no reason for plain text", async (ctx) => {
    if (reason !== undefined) ctx.skip(reason);
    using sandbox = new Sandbox();
    await using daemon = await SecretServiceDaemon.start();
    daemon.lock();
    const result = await perform(sandbox, { bus: daemon.address, action: "save", value: "canary-a" });
    expect(result.reason).toBe("locked");
    expect(sandbox.filesOutsideKeychain).toEqual([]);
  });
});
