/** Processes of a pool (fixtures/pool-member.ts) that keep one session in four files. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type AuthorizationServer, startAuthorizationServer } from "@unexpired-internal/demo/authorization-server";
import { createPoolFiles, POOL_FILES, tokensIn, writeSession } from "./pool-files.ts";

const PROGRAM = join(import.meta.dirname, "../fixtures/pool-member.ts");
/** In milliseconds. */
const LIMIT = 1_000;

export interface MemberOptions {
  readonly directory: string;
  /** The name of the file that the primary keeps the session in. */
  readonly primary: string;
  readonly tokenEndpoint: string;
  readonly clientId: string;
  /** Whether the process is killed between the primary and the documents. */
  readonly dies?: boolean;
}

/** The report of a process: a token, and when the response to its exchange arrived, if it made one; or an error. */
export interface Report {
  readonly accessToken?: string;
  readonly respondedAt?: number;
  readonly code?: string;
  readonly message?: string;
}

/** Four files in a directory, an authorization server, and the processes that share a session. */
export class Pool implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "unexpired-pool-"));
  readonly server: AuthorizationServer;
  readonly #children: ChildProcess[] = [];

  private constructor(server: AuthorizationServer) {
    this.server = server;
    createPoolFiles(this.directory);
  }

  static async create(): Promise<Pool> {
    return new Pool(await startAuthorizationServer({ accessTokenSeconds: 600, latency: 20 }));
  }

  /** Starts a process. */
  async start(options: Partial<MemberOptions> = {}): Promise<ChildProcess> {
    const { directory } = this;
    const { tokenEndpoint, clientId } = this.server;
    const child = fork(PROGRAM, [
      JSON.stringify({ directory, primary: "session.json", tokenEndpoint, clientId, ...options }),
    ]);
    this.#children.push(child);
    await once(child, "message");
    return child;
  }

  /** Puts a new session into one of the files, as its own program does. Its access token has expired, if asked for. */
  async signIn(index: number, { expired = false } = {}): Promise<string> {
    const refreshToken = await this.server.mintRefreshToken();
    const accessToken = `access-of-${refreshToken}`;
    const expiresAt = Math.floor(Date.now() / 1000) * 1000 + (expired ? -1_000 : 600_000);
    writeSession(this.directory, index, { accessToken, refreshToken, expiresAt });
    return accessToken;
  }

  /** Resolves to the time, in epoch milliseconds, at which all files show a token. Rejects after a second. */
  async shown(accessToken: string): Promise<number> {
    const until = Date.now() + LIMIT;
    while (!tokensIn(this.directory).every((found) => found === accessToken)) {
      if (Date.now() > until) throw new Error(`a file does not show the new session after ${LIMIT} ms`);
      await setTimeout(1);
    }
    return Date.now();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await this.server.close();
    rmSync(this.directory, { recursive: true });
  }
}

/** Resolves to what a process reports in response to an order. */
export async function order(child: ChildProcess, what: "refresh" | "get"): Promise<Report> {
  const report = once(child, "message");
  child.send(what);
  return ((await report) as [Report])[0];
}

/** How long it took until all files showed a session, in milliseconds. */
export interface Propagation {
  /** From the response to an exchange of one of the processes. */
  readonly refreshed: readonly number[];
  /** From the moment at which another program wrote one of the files. */
  readonly written: readonly number[];
}

/** Lets one process for each file refresh in turn, and other programs write the files in turn. */
export async function propagate(pool: Pool, rounds: number): Promise<Propagation> {
  await pool.signIn(0);
  const members: ChildProcess[] = [];
  for (const _ of POOL_FILES) members.push(await pool.start());
  const result = { refreshed: [] as number[], written: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const index = round % members.length;
    const { accessToken = "", respondedAt = 0 } = await order(members[index] as ChildProcess, "refresh");
    result.refreshed.push((await pool.shown(accessToken)) - respondedAt);
    const written = await pool.signIn(index);
    const since = Date.now();
    result.written.push((await pool.shown(written)) - since);
  }
  return result;
}
