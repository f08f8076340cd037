/** A keychain that is missing, does not respond, or is locked. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BUILT_IN_BACKENDS } from "../../src/backends/registry.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { keytarSkipReason, SecretServiceDaemon, secretServiceSkipReason } from "../support/secret-service-daemon.ts";

const DEADLINE = 1_000;
const SLACK = 1_500; // ms, for a slow machine

interface LoadResult {
  readonly code?: string;
  readonly reason?: string;
  readonly text?: string;
  readonly took: number;
  readonly exit: number | null;
  /** The time in milliseconds from the result to the end of the process. */
  readonly endedAfter: number;
}

/** Loads in a separate process with the given environment, and waits until it exits by itself. */
async function loadInProcess(backend: string, env: NodeJS.ProcessEnv): Promise<LoadResult> {
  const { DBUS_SESSION_BUS_ADDRESS: _bus, XDG_RUNTIME_DIR: _runtime, ...rest } = process.env;
  const program = join(import.meta.dirname, "../fixtures/load-store.ts");
  const args = [backend, freshDirectory(), String(DEADLINE)];
  const child = fork(program, args, { env: { ...rest, NODE_OPTIONS: "", ...env } });
  const exit = once(child, "exit");
  const [result] = await once(child, "message");
  const repliedAt = performance.now();
  const [code] = await exit;
  return { ...result, exit: code, endedAfter: performance.now() - repliedAt };
}

/** Starts a bus that accepts connections but never responds. */
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

describe.each(BUILT_IN_BACKENDS)("%s", (backend) => {
  const packageReason = backend === "keytar" ? keytarSkipReason() : undefined;
  const backendReason = process.platform === "linux" ? packageReason : "not applicable: Linux only";
  const serviceReason = backendReason ?? secretServiceSkipReason();

  it("reports no_service without D-Bus, and lets the process exit", async (ctx) => {
    if (backendReason !== undefined) ctx.skip(backendReason);
    const result = await loadInProcess(backend, {});
    expect(result).toMatchObject({ code: "STORE_UNAVAILABLE", reason: "no_service", exit: 0 });
    expect(result.text).toContain("DBUS_SESSION_BUS_ADDRESS is not set");
  });

  it("reports no_service if D-Bus has stopped, and lets the process exit", async (ctx) => {
    if (backendReason !== undefined) ctx.skip(backendReason);
    const result = await loadInProcess(backend, { DBUS_SESSION_BUS_ADDRESS: `unix:path=${freshDirectory()}/bus` });
    expect(result).toMatchObject({ code: "STORE_UNAVAILABLE", reason: "no_service", exit: 0 });
  });

  it("reports a timeout at the deadline if D-Bus never responds, and lets the process exit", async (ctx) => {
    if (backendReason !== undefined) ctx.skip(backendReason);
    const path = join(freshDirectory(), "bus");
    using _bus = await silentBus(path);
    const result = await loadInProcess(backend, { DBUS_SESSION_BUS_ADDRESS: `unix:path=${path}` });
    expect(result).toMatchObject({ code: "STORE_UNAVAILABLE", reason: "timeout", exit: 0 });
    expect(result.took).toBeGreaterThanOrEqual(DEADLINE - 50);
    expect(result.took).toBeLessThan(DEADLINE + SLACK);
    expect(result.endedAfter).toBeLessThan(SLACK);
  });

  it("reports a timeout at the deadline if the Secret Service is suspended, and lets the process exit", async (ctx) => {
    if (serviceReason !== undefined) ctx.skip(serviceReason);
    await using daemon = await SecretServiceDaemon.start();
    const { pid, address } = daemon;
    process.kill(pid, "SIGSTOP");
    try {
      const result = await loadInProcess(backend, { DBUS_SESSION_BUS_ADDRESS: address });
      expect(result).toMatchObject({ code: "STORE_UNAVAILABLE", reason: "timeout", exit: 0 });
      expect(result.took).toBeLessThan(DEADLINE + SLACK);
      expect(result.endedAfter).toBeLessThan(SLACK);
    } finally {
      process.kill(pid, "SIGCONT");
    }
  });

  it("reports a locked collection as locked, not as empty", async (ctx) => {
    if (serviceReason !== undefined) ctx.skip(serviceReason);
    await using daemon = await SecretServiceDaemon.start();
    const { address } = daemon;
    const before = await loadInProcess(backend, { DBUS_SESSION_BUS_ADDRESS: address });
    expect(before).toMatchObject({ found: null, exit: 0 });
    expect(before.endedAfter).toBeLessThan(SLACK); // a kept connection does not keep the process alive
    daemon.lock();
    const result = await loadInProcess(backend, { DBUS_SESSION_BUS_ADDRESS: address });
    expect(result).toMatchObject({ code: "STORE_UNREADABLE", reason: "locked", exit: 0 });
  });
});
