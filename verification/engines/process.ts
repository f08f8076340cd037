import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The identity of the system's user `postgres`, as whom root runs servers that refuse to run as root. */
function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0 || !/^postgres:/m.test(readFileSync("/etc/passwd", "utf8"))) return {};
  const idOf = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: idOf("-u"), gid: idOf("-g") };
}

/** Creates a temporary directory that belongs to the user of {@link startServer}. */
export function createDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `unexpired-${name}-`));
  const { uid, gid } = unprivileged();
  if (uid !== undefined && gid !== undefined) chownSync(directory, uid, gid);
  return directory;
}

/** Runs a program to its end as the user of {@link startServer}. Throws with its output if it fails. */
export function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  execFileSync(program, args, { cwd: "/", env: { ...process.env, ...env }, stdio: "pipe", ...unprivileged() });
}

/** Returns a free port of the loopback address. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A command prefix for a program that is to end when this process is killed, for example because a test runner gives up. */
const END_WITH_US = process.platform === "linux" ? ["setpriv", "--pdeathsig", "INT"] : [];

/**
 * Starts a server in the foreground, as the user `postgres` if this process runs as root, and resolves when it has logged
 * `ready`. Rejects with its log if it ends before that.
 */
export function startServer(program: string, args: readonly string[], ready: string): Promise<ChildProcess> {
  const [command = program, ...rest] = [...END_WITH_US, program, ...args];
  const server = spawn(command, rest, { cwd: "/", stdio: ["ignore", "pipe", "pipe"], ...unprivileged() });
  let log = "";
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("exit", () => reject(new Error(`${program} exited. It logged:\n${log}`)));
    const read = (text: string) => {
      log = `${log}${text}`.slice(-20_000);
      if (log.includes(ready)) resolve(server);
    };
    for (const output of [server.stdout, server.stderr]) output.setEncoding("utf8").on("data", read);
  });
}

/** Ends a server with a signal, and resolves when it has ended. */
export async function endServer(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill(signal);
  await ended;
}

/** Lists the processes that a process has started. */
export function childrenOf(parent: number): number[] {
  const parentOf = (pid: string) => {
    try {
      return Number(/\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
    } catch {
      return undefined; // it has ended
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === parent)
    .map(Number);
}
