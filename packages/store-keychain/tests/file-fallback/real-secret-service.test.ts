/** The system's own keychain, or none: processes with a real Secret Service, with a locked one, and without a D-Bus. */
import { describe, expect, it } from "vitest";
import type { Order, Told } from "../fixtures/run-task.ts";
import { doOnce, Place } from "../support/sandbox.ts";
import { reasonAgainstSecretService, SecretService } from "../support/secret-service-daemon.ts";

/** Does it in a process of its own, on that bus; without one there is none. */
async function perform(place: Place, { bus, ...order }: Omit<Order, "place"> & { bus?: string }): Promise<Told> {
  const { DBUS_SESSION_BUS_ADDRESS: _bus, XDG_RUNTIME_DIR: _runtime, ...rest } = process.env;
  const env = bus === undefined ? rest : { ...rest, DBUS_SESSION_BUS_ADDRESS: bus };
  return (await doOnce({ ...order, place: { directory: place.directory, keychain: "real" } }, env)) ?? {};
}

const onLinux = process.platform === "linux" ? undefined : "not applicable: Linux only";
const reason = onLinux ?? reasonAgainstSecretService();

describe("on Linux", () => {
  it("without a D-Bus the session goes to the file, and says so", async (ctx) => {
    if (onLinux !== undefined) ctx.skip(onLinux);
    using place = new Place();
    const told = await perform(place, { task: "save", value: "canary-a" });
    expect(told.place).toMatch(/^The file .*, in plain text$/);
    expect(await perform(place, { task: "load" })).toEqual({ found: "canary-a", place: told.place });
    expect((await place.file.load())?.value).toBe("canary-a");
  });

  it("with a Secret Service it goes there, stays there without a D-Bus, and leaves nothing on the disk", async (ctx) => {
    if (reason !== undefined) ctx.skip(reason);
    using place = new Place();
    await using secrets = await SecretService.start();
    const bus = secrets.address;
    expect((await perform(place, { bus, task: "save", value: "canary-a" })).place).toMatch(/^The keychain item/);
    expect(place.plain).toEqual([]);
    for (const task of ["load", "save", "remove"] as const) {
      const told = await perform(place, { task, value: "canary-b" });
      expect(told.reason).toBe("no_service");
      expect(told.text).not.toContain("canary");
    }
    expect((await perform(place, { bus, task: "load" })).found).toBe("canary-a");
    await perform(place, { bus, task: "remove" });
    expect(place.outside).toEqual([]);
    expect(secrets.accountsOf("unexpired tests")).toEqual([]);
  });

  it("a session that was in the file moves when there is a Secret Service", async (ctx) => {
    if (reason !== undefined) ctx.skip(reason);
    using place = new Place();
    await place.file.save("canary-a", undefined);
    await using secrets = await SecretService.start();
    const bus = secrets.address;
    const told = await perform(place, { bus, task: "save", value: "canary-b" });
    expect(told).toMatchObject({ found: "canary-a", place: expect.stringMatching(/^The keychain item/) });
    expect(place.plain).toEqual([]);
    expect((await perform(place, { bus, task: "load" })).found).toBe("canary-b");
  });

  it("a Secret Service that is locked is no reason for plain text", async (ctx) => {
    if (reason !== undefined) ctx.skip(reason);
    using place = new Place();
    await using secrets = await SecretService.start();
    secrets.lock();
    const told = await perform(place, { bus: secrets.address, task: "save", value: "canary-a" });
    expect(told.reason).toBe("locked");
    expect(place.outside).toEqual([]);
  });
});
