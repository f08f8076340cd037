/** Tests ten processes that move the session of an old file to this library at once, one of them stopped for four seconds. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { startAuthorizationServer } from "@unexpired-internal/demo/authorization-server";
import { describe, expect, it, onTestFinished } from "vitest";

const PROCESSES = 10;
const STOPPED_FOR = 4_000;
const PROGRAM = join(import.meta.dirname, "fixtures/migrating-process.ts");

type Report = { readonly accessToken?: string; readonly error?: string };

async function startProcess(args: readonly string[]): Promise<ChildProcess> {
  const child = fork(PROGRAM, args);
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "message");
  return child;
}

/** Resolves to the report of a process. Calls back when it sends the refresh token. */
const reportOf = (child: ChildProcess, onStarted: (child: ChildProcess) => void): Promise<Report> =>
  new Promise((resolve) => {
    child.on("message", (message: Report & { readonly started?: true }) => {
      if (message.started) onStarted(child);
      else resolve(message);
    });
    child.send("go");
  });

async function stopForAWhile(child: ChildProcess): Promise<void> {
  child.kill("SIGSTOP");
  await setTimeout(STOPPED_FOR);
  child.kill("SIGCONT");
}

describe.skipIf(process.platform === "win32")(
  "ten processes that migrate the same old file",
  { timeout: 60_000 },
  () => {
    it.each([
      ["by adopt(), to a file store", "new.json", "the one that exchanges"],
      ["by migratingFormat, in place", "old.json", "the one that exchanges"],
      ["by adopt(), to a file store", "new.json", "another one"],
    ])("cost one exchange, and no user is signed out: %s %s, stopped: %s", async (_how, name, stopped) => {
      const directory = mkdtempSync(join(tmpdir(), "unexpired-migration-"));
      onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
      const server = await startAuthorizationServer({ accessTokenSeconds: 300, latency: 300 });
      onTestFinished(() => server.close());
      const oldPath = join(directory, "old.json");
      writeFileSync(oldPath, JSON.stringify({ refresh: await server.mintRefreshToken() }));
      const args = [oldPath, join(directory, name), server.tokenEndpoint, server.clientId];
      const children = await Promise.all(Array.from({ length: PROCESSES }, () => startProcess(args)));

      const [first] = children;
      const pauses = stopped === "another one" && first ? [stopForAWhile(first)] : [];
      const onStarted = (child: ChildProcess) => {
        if (pauses.length === 0) pauses.push(stopForAWhile(child));
      };
      const reports = await Promise.all(children.map((child) => reportOf(child, onStarted)));
      await Promise.all(pauses);

      expect(reports.flatMap(({ error }) => error ?? [])).toEqual([]);
      expect(new Set(reports.map(({ accessToken }) => accessToken)).size).toBe(1);
      expect(await server.verify(reports[0]?.accessToken ?? "")).toBe(true);
      expect([server.tokenRequests, server.revokedGrants]).toEqual([1, 0]);
    });
  },
);
