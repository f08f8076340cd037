/** A keychain that is not there, hangs, or is locked. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BUILT_IN } from "../../src/backends/registry.ts";
import { freshDirectory } from "../support/file-keychain-store.ts";
import { reasonAgainstKeytar, reasonAgainstSecretService, SecretService } from "../support/secret-service-daemon.ts";

const DEADLINE = 1_000;
const SLACK = 1_500; // ms, for a process that is slow

interface Told {
  readonly code?: string;
  readonly reason?: string;
  readonly text?: string;
  readonly took: number;
  readonly exit: number | null;
  /** From the answer to the end of the process. */
  readonly ended: number;
}

/** Loads in a process of its own with that bus, and waits for it to end by itself. */
async function loadWith(backend: string, env: NodeJS.ProcessEnv): Promise<Told> {
  const { DBUS_SESSION_BUS_ADDRESS: _bus, XDG_RUNTIME_DIR: _runtime, ...rest } = process.env;
  const program = join(import.meta.dirname, "../fixtures/load-store.ts");
  const args = [backend, freshDirectory(), String(DEADLINE)];
  const child = fork(program, args, { env: { ...rest, NODE_OPTIONS: "", ...env } });
  const exit = once(child, "exit");
  const [told] = await once(child, "message");
  const answered = performance.now();
  const [code] = await exit;
  return { ...told, exit: code, ended: performance.now() - answered };
}

/** A bus where somebody listens and says nothing. */
async function silentBus(path: string) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on("data", () => undefined).on("error", () => undefined)));
  server.listen(path);
  await once(server, "listening");
  return {
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe.each(BUILT_IN)("%s", (backend) => {
  const missing = backend === "keytar" ? reasonAgainstKeytar() : undefined;
  const reason = process.platform === "linux" ? missing : "not applicable: Linux only";
  const service = reason ?? reasonAgainstSecretService();

  it("without a D-Bus says so, and the process ends", async (ctx) => {
    if (reason !== undefined) ctx.skip(reason);
    const told = await loadWith(backend, {});
    expect(told).toMatchObject({ code: "STORE_UNAVAILABLE", reason: "no_service", exit: 0 });
    expect(told.text).toContain("DBUS_SESSION_BUS_ADDRESS is not set");
  });

  it("with a D-Bus that is gone says so, and the process ends", async (ctx) => {
    if (reason !== undefined) ctx.skip(reason);
    const told = await loadWith(backend, { DBUS_SESSION_BUS_ADDRESS: `unix:path=${freshDirectory()}/bus` });
    expect(told).toMatchObject({ code: "STORE_UNAVAILABLE", reason: "no_service", exit: 0 });
  });

  it("with a D-Bus that never answers says so by the deadline, and the process ends", async (ctx) => {
    if (reason !== undefined) ctx.skip(reason);
    const path = join(freshDirectory(), "bus");
    using _bus = await silentBus(path);
    const told = await loadWith(backend, { DBUS_SESSION_BUS_ADDRESS: `unix:path=${path}` });
    expect(told).toMatchObject({ code: "STORE_UNAVAILABLE", reason: "timeout", exit: 0 });
    expect(told.took).toBeGreaterThanOrEqual(DEADLINE - 50);
    expect(told.took).toBeLessThan(DEADLINE + SLACK);
    expect(told.ended).toBeLessThan(SLACK);
  });

  it("with a Secret Service that stands still says so by the deadline, and the process ends", async (ctx) => {
    if (service !== undefined) ctx.skip(service);
    await using secrets = await SecretService.start();
    const { pid, address } = secrets;
    process.kill(pid, "SIGSTOP");
    try {
      const told = await loadWith(backend, { DBUS_SESSION_BUS_ADDRESS: address });
      expect(told).toMatchObject({ code: "STORE_UNAVAILABLE", reason: "timeout", exit: 0 });
      expect(told.took).toBeLessThan(DEADLINE + SLACK);
      expect(told.ended).toBeLessThan(SLACK);
    } finally {
      process.kill(pid, "SIGCONT");
    }
  });

  it("with a locked collection says so, and not that there is none", async (ctx) => {
    if (service !== undefined) ctx.skip(service);
    await using secrets = await SecretService.start();
    const { address } = secrets;
    const before = await loadWith(backend, { DBUS_SESSION_BUS_ADDRESS: address });
    expect(before).toMatchObject({ found: null, exit: 0 });
    expect(before.ended).toBeLessThan(SLACK); // no connection that is kept holds it up
    secrets.lock();
    const told = await loadWith(backend, { DBUS_SESSION_BUS_ADDRESS: address });
    expect(told).toMatchObject({ code: "STORE_UNREADABLE", reason: "locked", exit: 0 });
  });
});
