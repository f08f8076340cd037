import { type ChildProcess, spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ConnectionOptions, urlOf } from "./postgres.ts";
import { createDirectory, endServer, freePort, startServer } from "./process.ts";

const PROGRAMS = ["pgbouncer", "/usr/sbin/pgbouncer"];

const findProgram = (): string | undefined =>
  PROGRAMS.find((program) => spawnSync(program, ["--version"]).status === 0);

/** Returns the reason why PgBouncer cannot be started here, or `undefined`. */
export const missingPgBouncer = (): string | undefined =>
  findProgram() === undefined ? "PgBouncer is not installed" : undefined;

/** Options of {@link PgBouncer.start}. */
export interface PgBouncerOptions {
  /** The number of connections to the server for each database. Default 20. */
  readonly poolSize?: number;
  /** How long a query waits for one of them, in seconds. Default 2. */
  readonly queryWait?: number;
}

/** A real PgBouncer in transaction mode in front of a PostgreSQL server. Disposing it stops it. */
export class PgBouncer implements AsyncDisposable {
  /** How clients connect through it. */
  readonly connection: ConnectionOptions;
  readonly #directory = createDirectory("pgbouncer");
  #process: ChildProcess | undefined;

  private constructor(connection: ConnectionOptions) {
    this.connection = connection;
  }

  /** Starts PgBouncer in front of the server with that connection. */
  static async start(server: ConnectionOptions, options: PgBouncerOptions = {}): Promise<PgBouncer> {
    const pgbouncer = new PgBouncer({ ...server, port: await freePort() });
    pgbouncer.#configure(server, options);
    await pgbouncer.start();
    return pgbouncer;
  }

  #configure(
    { host, port, user, password }: ConnectionOptions,
    { poolSize = 20, queryWait = 2 }: PgBouncerOptions,
  ): void {
    const users = join(this.#directory, "users.txt");
    const settings = {
      listen_addr: this.connection.host,
      listen_port: this.connection.port,
      unix_socket_dir: "",
      auth_type: "scram-sha-256",
      auth_file: users,
      pool_mode: "transaction",
      default_pool_size: poolSize,
      max_client_conn: 2_000,
      query_wait_timeout: queryWait,
      server_login_retry: 1,
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
    const databases = ["[databases]", `* = host=${host} port=${port}`];
    writeFileSync(users, `"${user}" "${password}"\n`, { mode: 0o644 });
    writeFileSync(this.#configuration, `${[...databases, "[pgbouncer]", ...lines].join("\n")}\n`, { mode: 0o644 });
  }

  get #configuration(): string {
    return join(this.#directory, "pgbouncer.ini");
  }

  /** The connection as a URL. */
  get url(): string {
    return urlOf(this.connection);
  }

  /** Starts it again after {@link stop}, on the same port. */
  async start(): Promise<void> {
    const program = findProgram();
    if (program === undefined) throw new Error("PgBouncer is not installed.");
    this.#process = await startServer(program, [this.#configuration], "process up");
  }

  /** Ends it and all connections through it: it refuses connections until {@link start}. */
  async stop(): Promise<void> {
    if (this.#process) await endServer(this.#process, "SIGTERM");
  }

  /** Stops it: nothing responds until {@link resume}. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }

  /** Continues after {@link pause}. */
  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resume();
    await this.stop();
    rmSync(this.#directory, { recursive: true });
  }
}
