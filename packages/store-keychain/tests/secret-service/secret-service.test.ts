/** How we ask the Secret Service ourselves, with a real one. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { socketPathOf } from "../../src/secret-service/dbus-connection.ts";
import { SecretService as Client } from "../../src/secret-service/secret-service.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { SecretServiceDaemon, secretServiceSkipReason } from "../support/secret-service-daemon.ts";

const DEADLINE = 2_000;
const ABSENT_ITEM = { service: "unexpired tests", username: "nobody" };

const clientAt = (address: string, deadline = DEADLINE) =>
  new Client({ deadline, env: { DBUS_SESSION_BUS_ADDRESS: address } });

/** Passes on what a bus says. Its connections can be cut, or stand still. */
async function relayTo(address: string) {
  const path = join(freshDirectory(), "bus");
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect({ path: socketPathOf(address) ?? "" });
    for (const each of [near, far]) sockets.add(each.on("error", () => undefined));
    near.pipe(far).pipe(near);
  });
  server.listen(path);
  await once(server, "listening");
  let connections = 0;
  server.on("connection", () => connections++);
  const cut = () => {
    for (const each of sockets) each.destroy();
  };
  const hold = () => {
    for (const each of sockets) each.unpipe().pause();
  };
  return {
    address: `unix:path=${path}`,
    cut,
    hold,
    get connections() {
      return connections;
    },
    [Symbol.dispose]: () => {
      cut();
      server.close();
    },
  };
}

describe("the Secret Service, asked without a package", () => {
  const reason = secretServiceSkipReason();
  if (reason !== undefined) return it("answers", (ctx) => ctx.skip(reason));
  let daemon: SecretServiceDaemon;
  beforeAll(async () => {
    daemon = await SecretServiceDaemon.start();
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  it("has one connection for many questions", async () => {
    using relay = await relayTo(daemon.address);
    const client = clientAt(relay.address);
    await Promise.all(Array.from({ length: 10 }, () => client.assertReady()));
    await client.get(ABSENT_ITEM);
    await client.delete(ABSENT_ITEM);
    expect(relay.connections).toBe(1);
  });

  it("has a new connection when the one that it had is gone", async () => {
    using relay = await relayTo(daemon.address);
    const client = clientAt(relay.address);
    await client.assertReady();
    relay.cut();
    await Promise.all(Array.from({ length: 10 }, () => client.assertReady()));
    expect(relay.connections).toBe(2);
  });

  it("has a new connection when the one that it had gave no answer", async () => {
    using relay = await relayTo(daemon.address);
    const client = clientAt(relay.address, 1_000);
    await client.assertReady();
    relay.hold();
    await expect(client.assertReady()).rejects.toMatchObject({ reason: "timeout" });
    await expect(client.assertReady()).resolves.toBeUndefined();
    expect(relay.connections).toBe(2);
  });

  it("answers again when it has stood still past the deadline", async () => {
    const client = clientAt(daemon.address, 1_000);
    await client.assertReady();
    const { pid } = daemon;
    process.kill(pid, "SIGSTOP");
    try {
      await expect(client.assertReady()).rejects.toMatchObject({ reason: "timeout" });
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await expect(client.assertReady()).resolves.toBeUndefined();
  });

  it("is not there where a bus has none, or lets nobody ask", async () => {
    await expect(clientAt("unix:path=/nonexistent").assertReady()).rejects.toMatchObject({ reason: "no_service" });
    await expect(clientAt("").assertReady()).rejects.toMatchObject({ reason: "no_service" });
  });

  it.each(["disabled:", "/dev/null"])("is not there where the address is %s", async (address) => {
    await expect(clientAt(address).assertReady()).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      reason: "no_service",
    });
  });

  it("is not known where Node cannot reach the bus, and has nothing to read", async () => {
    const client = clientAt("unixexec:path=ssh");
    await expect(client.assertReady()).resolves.toBeUndefined();
    await expect(client.get(ABSENT_ITEM)).rejects.toMatchObject({ reason: "no_service" });
    await expect(client.delete(ABSENT_ITEM)).rejects.toMatchObject({ reason: "no_service" });
  });

  it("is locked, and unlocked when another collection is the default one", async () => {
    const client = clientAt(daemon.address);
    await client.assertReady();
    daemon.lock();
    await expect(client.assertReady()).rejects.toMatchObject({ reason: "locked" });
    daemon.useMemoryCollection();
    await expect(client.assertReady()).resolves.toBeUndefined();
  });
});
