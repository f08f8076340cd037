import { type ChildProcess, execFile, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { createDirectory, endServer, freePort, startServer } from "./process.ts";

const READY = "eady to accept connections";
const SYNCED = "sync: Finished with success";

type Settings = Readonly<Record<string, string>>;

/** Syncs each write to the disk before it replies. A replica gets its copy at once. */
const DEFAULTS: Settings = {
  bind: "127.0.0.1",
  save: "",
  appendonly: "yes",
  appendfsync: "always",
  "repl-diskless-sync-delay": "0",
};

/** Returns the reason why no Redis server can be started here, or `undefined`. */
export const missingRedis = (): string | undefined =>
  ["redis-server", "redis-cli"].some((program) => spawnSync(program, ["--version"]).status !== 0)
    ? "redis-server or redis-cli is not installed"
    : undefined;

/** Options of {@link RedisServer.start}. */
export interface RedisServerOptions {
  /** The password of the user `default`. Default: no password. */
  readonly password?: string;
  /** Directives of redis.conf. By default it appends each write to a file, and syncs it before it replies. */
  readonly settings?: Settings;
}

/**
 * A real Redis server for tests, on a free port of the loopback address and a Unix socket, with its files in a temporary
 * directory. Disposing it stops it and deletes its data.
 */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #password: string;
  readonly #directory = createDirectory("redis");
  #settings: Settings;
  #process: ChildProcess | undefined;

  private constructor(port: number, { password = "", settings = {} }: RedisServerOptions) {
    this.port = port;
    this.#password = password;
    const own = { port: `${port}`, dir: this.#directory, unixsocket: this.socket, unixsocketperm: "777" };
    const secret = password === "" ? {} : { requirepass: password, masterauth: password };
    this.#settings = { ...DEFAULTS, ...own, ...secret, ...settings };
  }

  /** Creates and starts a server. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), options);
    await server.start();
    return server;
  }

  /** Creates a cluster of one server, which has all slots. */
  static async startCluster({ password, settings }: RedisServerOptions = {}): Promise<RedisServer> {
    const bus = { "cluster-enabled": "yes", "cluster-port": `${await freePort()}`, "cluster-announce-ip": "127.0.0.1" };
    const server = await RedisServer.start({ ...(password && { password }), settings: { ...bus, ...settings } });
    await server.command("cluster", "addslotsrange", "0", "16383");
    while (!(await server.command("cluster", "info")).includes("cluster_state:ok"));
    return server;
  }

  /** Starts a replica, and resolves when it has a copy of the data. */
  async startReplica(): Promise<RedisServer> {
    const settings = { replicaof: `127.0.0.1 ${this.port}` };
    const replica = new RedisServer(await freePort(), { password: this.#password, settings });
    await replica.#start(SYNCED);
    return replica;
  }

  /** The path of its Unix socket. */
  get socket(): string {
    return join(this.#directory, "socket");
  }

  /** The URL of its port. */
  get url(): string {
    return this.urlAt(this.port);
  }

  /** The URL with another port of this machine, such as that of a forwarder. */
  urlAt(port: number): string {
    return `redis://${this.#password && `:${encodeURIComponent(this.#password)}@`}127.0.0.1:${port}`;
  }

  /** Starts the server again after {@link stop} or {@link crash}, on the same port and data. */
  async start(): Promise<void> {
    await this.#start(READY);
  }

  async #start(ready: string): Promise<void> {
    const args = Object.entries(this.#settings).flatMap(([name, value]) => [`--${name}`, ...value.split(" ")]);
    this.#process = await startServer("redis-server", args, ready);
  }

  /** Ends all connections and the server: it refuses connections until {@link start}. */
  async stop(): Promise<void> {
    this.resume(); // a paused server does not end
    if (this.#process) await endServer(this.#process, "SIGTERM");
  }

  /** Ends all connections, and starts the server again. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Ends the server as a crash does. The next {@link start} recovers. */
  async crash(): Promise<void> {
    if (this.#process) await endServer(this.#process, "SIGKILL");
  }

  /** Stops the server: connections are accepted by the system, and nothing responds. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }

  /** Continues after {@link pause}. */
  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Makes a replica a primary server, also after a restart. */
  async promote(): Promise<void> {
    await this.command("replicaof", "no", "one");
    const { replicaof: _, ...settings } = this.#settings;
    this.#settings = settings;
  }

  /** Runs a command with `redis-cli`, and resolves to its output. Rejects if Redis replies with an error. */
  async command(...args: string[]): Promise<string> {
    const env = { ...process.env, ...(this.#password !== "" && { REDISCLI_AUTH: this.#password }) };
    const { stdout } = await promisify(execFile)("redis-cli", ["-e", "-s", this.socket, ...args], { env });
    return stdout.replace(/\n$/, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
    rmSync(this.#directory, { recursive: true });
  }
}
