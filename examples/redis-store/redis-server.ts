import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether `redis-server` is installed. */
export const hasRedis = (): boolean => spawnSync("redis-server", ["--version"]).status === 0;

/** A Redis server for the tests, on a socket in a temporary directory. It syncs each write to disk. */
export class RedisServer implements AsyncDisposable {
  readonly url: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "redis-store-"));
  #server: ChildProcess | undefined;

  constructor() {
    this.url = `unix://${this.#directory}/socket`;
  }

  async start(): Promise<void> {
    const options = { port: "0", unixsocket: "socket", save: "", appendonly: "yes", appendfsync: "always" };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const server = spawn("redis-server", args, { cwd: this.#directory, stdio: ["ignore", "pipe", "inherit"] });
    this.#server = server;
    let printed = "";
    for await (const text of server.stdout.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
      printed += text;
      if (!printed.includes("eady to accept connections")) continue;
      server.stdout.resume();
      return;
    }
    throw new Error(`redis-server exited. It printed:\n${printed}`);
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#server?.kill(signal);
  }

  async kill(): Promise<void> {
    if (!this.#server) return;
    const ended = once(this.#server, "exit");
    this.#server.kill("SIGKILL");
    await ended;
    this.#server = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true });
  }
}
