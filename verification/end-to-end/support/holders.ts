/** Processes that share a session file (fixtures/holder.ts), and the session in it. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createTokenManager } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { canary } from "@unexpired-internal/test-support/canary";

const PROGRAM = join(import.meta.dirname, "../fixtures/holder.ts");

export interface HolderOptions {
  /** The session file. */
  readonly path: string;
  readonly tokenEndpoint: string;
  /** The ID of a public client. */
  readonly clientId: string;
  /** The URL that it calls with the access token. */
  readonly api: string;
  /** The server's grace period. Default: 0. */
  readonly graceSeconds?: number;
  /** The deadline of an exchange, in milliseconds. Default: 30,000. */
  readonly timeout?: number;
}

/** Starts processes. Disposing it kills those that still run. */
export class Holders implements Disposable {
  readonly #children: ChildProcess[] = [];

  async start(options: HolderOptions): Promise<ChildProcess> {
    const child = fork(PROGRAM, [JSON.stringify(options)]);
    this.#children.push(child);
    await once(child, "message");
    return child;
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }
}

/** Resolves to the status, or the error, of a call of the API by a process. */
export async function callApi(child: ChildProcess): Promise<unknown> {
  const report = once(child, "message");
  child.send("call");
  return (await report)[0];
}

/** Creates a session file whose access token has expired. */
export async function signInExpired(path: string, refreshToken: string): Promise<void> {
  const tokens = createTokenManager({ store: fileStore({ path }) });
  await tokens.signIn({ accessToken: canary("access", "expired"), refreshToken, expiresAt: 0 });
  await tokens.close();
}
