import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { childrenOf, createDirectory, endServer, freePort, run, startServer } from "./process.ts";

const DEBIAN = "/usr/lib/postgresql";
const PROGRAMS = ["initdb", "postgres", "pg_basebackup"];
const USER = "unexpired";
const READY = "database system is ready to accept";

/** The options with which `pg` and `postgres` connect. */
export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** Returns the directory of PostgreSQL's programs: on the `PATH`, or Debian's newest version. */
function findPrograms(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const directories = [
    ...(process.env.PATH ?? "").split(delimiter),
    ...versions.map((version) => join(DEBIAN, version, "bin")),
  ];
  return directories.find((directory) => PROGRAMS.every((name) => existsSync(join(directory, name))));
}

/** Returns the reason why no PostgreSQL server can be started here, or `undefined`. */
export const missingPostgres = (): string | undefined =>
  findPrograms() === undefined ? "PostgreSQL is not installed" : undefined;

/**
 * A real PostgreSQL server for tests, on a free port of the loopback address, with its files in a temporary directory.
 * Commits are synced to the disk, as by default. Disposing it stops it and deletes its data.
 */
export class PostgresServer implements AsyncDisposable {
  /** How clients connect as a superuser, with a password. */
  readonly connection: ConnectionOptions;
  readonly #programs: string;
  readonly #directory: string;
  #process: ChildProcess | undefined;
  #isPaused = false;

  private constructor(programs: string, directory: string, connection: ConnectionOptions) {
    this.#programs = programs;
    this.#directory = directory;
    this.connection = connection;
  }

  /** Creates and starts a server. The password is `unexpired` unless one is given. */
  static async start({ password = "unexpired" }: { readonly password?: string } = {}): Promise<PostgresServer> {
    const server = await PostgresServer.#create(password);
    const file = join(server.#directory, "password");
    writeFileSync(file, password, { mode: 0o644 });
    const options = ["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", `--username=${USER}`];
    server.#run("initdb", [...options, "--auth=scram-sha-256", `--pwfile=${file}`, server.#data]);
    await server.start();
    return server;
  }

  static async #create(password: string): Promise<PostgresServer> {
    const programs = findPrograms();
    if (programs === undefined) throw new Error("PostgreSQL is not installed.");
    const connection = { host: "127.0.0.1", port: await freePort(), user: USER, password, database: "postgres" };
    return new PostgresServer(programs, createDirectory("postgres"), connection);
  }

  /** Starts a standby: a read-only copy that follows this server. */
  async startStandby(): Promise<PostgresServer> {
    const { port, password } = this.connection;
    const standby = await PostgresServer.#create(password);
    const source = ["--host=127.0.0.1", `--port=${port}`, `--username=${USER}`];
    const target = [`--pgdata=${standby.#data}`, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"];
    standby.#run("pg_basebackup", [...source, ...target], { PGPASSWORD: password });
    await standby.start();
    return standby;
  }

  /** The connection as a URL. */
  get url(): string {
    return urlOf(this.connection);
  }

  get #data(): string {
    return join(this.#directory, "data");
  }

  #run(program: string, args: readonly string[], env?: Readonly<Record<string, string>>): void {
    run(join(this.#programs, program), args, env);
  }

  /** Starts the server again after {@link stop}, on the same port and data. */
  async start(): Promise<void> {
    const settings = { port: `${this.connection.port}`, listen_addresses: "127.0.0.1", unix_socket_directories: "" };
    const args = Object.entries({ ...settings, max_connections: "200", lc_messages: "C" });
    const flags = args.flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    this.#process = await startServer(join(this.#programs, "postgres"), ["-D", this.#data, ...flags], READY);
  }

  /** Ends all connections and the server: it refuses connections until {@link start}. */
  async stop(): Promise<void> {
    await this.#end("SIGINT");
  }

  /** Ends all connections, and starts the server again. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Ends the server as a crash does: without a checkpoint. The next {@link start} recovers. */
  async crash(): Promise<void> {
    await this.#end("SIGQUIT");
  }

  async #end(signal: "SIGINT" | "SIGQUIT"): Promise<void> {
    if (this.#isPaused) this.resume();
    if (this.#process) await endServer(this.#process, signal);
  }

  /** Stops all processes of the server: connections are accepted by the system, and nothing responds. */
  pause(): void {
    this.#signal("SIGSTOP");
  }

  /** Continues after {@link pause}. */
  resume(): void {
    this.#signal("SIGCONT");
  }

  /** Each backend leads a process group of its own, so the group of the postmaster does not include them. */
  #signal(signal: "SIGSTOP" | "SIGCONT"): void {
    const postmaster = this.#process?.pid;
    if (postmaster === undefined) throw new Error("The PostgreSQL server is not running.");
    this.#isPaused = signal === "SIGSTOP";
    for (const pid of [postmaster, ...childrenOf(postmaster)]) signalIfRunning(pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
    rmSync(this.#directory, { recursive: true });
  }
}

function signalIfRunning(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended
  }
}

/** Returns the URL of a connection. */
export const urlOf = ({ host, port, user, password, database }: ConnectionOptions): string =>
  `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
