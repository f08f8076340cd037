/** The client of the Secret Service, tested with a real one. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { socketPathOf } from "../../src/secret-service/dbus-connection.ts";
import { SecretService as Client } from "../../src/secret-service/secret-service.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { SecretServiceDaemon, secretServiceSkipReason } from "../support/secret-service-daemon.ts";

const DEADLINE = 2_000;
const ABSENT_ITEM = { service: "unexpired tests", username: "absent" };

const clientAt = (address: string, timeout = DEADLINE) =>
  new Client({ timeout, env: { DBUS_SESSION_BUS_ADDRESS: address } });

/** Starts a relay to a bus. Its connections can be cut or held. */
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

describe("SecretService", () => {
  const skipReason = secretServiceSkipReason();
  if (skipReason !== undefined) return it("queries the service", (ctx) => ctx.skip(skipReason));
  let daemon: SecretServiceDaemon;
  beforeAll(async () => {
    daemon = await SecretServiceDaemon.start();
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  it("uses one connection for many queries", async () => {
    using relay = await relayTo(daemon.address);
    const client = clientAt(relay.address);
    await Promise.all(Array.from({ length: 10 }, () => client.assertReady()));
    await client.get(ABSENT_ITEM);
    await client.delete(ABSENT_ITEM);
    expect(relay.connections).toBe(1);
  });

  it("reconnects if its connection was closed", async () => {
    using relay = await relayTo(daemon.address);
    const client = clientAt(relay.address);
    await client.assertReady();
    relay.cut();
    await Promise.all(Array.from({ length: 10 }, () => client.assertReady()));
    expect(relay.connections).toBe(2);
  });

  it("reconnects after a query without a response", async () => {
    using relay = await relayTo(daemon.address);
    const client = clientAt(relay.address, 1_000);
    await client.assertReady();
    relay.hold();
    await expect(client.assertReady()).rejects.toMatchObject({ reason: "timeout" });
    await expect(client.assertReady()).resolves.toBeUndefined();
    expect(relay.connections).toBe(2);
  });

  it("works again after the service was suspended past the deadline", async () => {
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

  it("throws no_service if the bus cannot be reached or has no address", async () => {
    await expect(clientAt("unix:path=/nonexistent").assertReady()).rejects.toMatchObject({ reason: "no_service" });
    await expect(clientAt("").assertReady()).rejects.toMatchObject({ reason: "no_service" });
  });

  it.each(["disabled:", "/dev/null"])("throws no_service if the address is %s", async (address) => {
    await expect(clientAt(address).assertReady()).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      reason: "no_service",
    });
  });

  it("passes the check but reads nothing if Node cannot connect to the kind of address", async () => {
    const client = clientAt("unixexec:path=ssh");
    await expect(client.assertReady()).resolves.toBeUndefined();
    await expect(client.get(ABSENT_ITEM)).rejects.toMatchObject({ reason: "no_service" });
    await expect(client.delete(ABSENT_ITEM)).rejects.toMatchObject({ reason: "no_service" });
  });

  it("throws locked until an unlocked collection becomes the default", async () => {
    const client = clientAt(daemon.address);
    await client.assertReady();
    daemon.lock();
    await expect(client.assertReady()).rejects.toMatchObject({ reason: "locked" });
    daemon.useMemoryCollection();
    await expect(client.assertReady()).resolves.toBeUndefined();
  });
});
