import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { canary } from "@unexpired-internal/test-support/canary";

/** How a token endpoint treats a refresh token that has been used already. */
export interface Grace {
  /** How long after its rotation it is still accepted, in seconds. 0: a replay revokes the session at once. */
  readonly seconds: number;
  /** The tokens in the response to a replay: the same as before, or new ones. */
  readonly replayReturns: "same" | "new";
}

/**
 * The moment at which a request is held so that its sender can be killed or stopped: before or after its processing;
 * `"paused"` is after it, too.
 */
export type Hold = "before" | "after" | "paused";

/** An authorization server for one client that rotates refresh tokens, with or without grace. */
export interface GraceServer extends AsyncDisposable {
  readonly tokenEndpoint: string;
  /** The number of requests that reached the endpoint. */
  readonly requests: number;
  readonly isRevoked: boolean;
  /** Starts a session and returns its refresh token. */
  mint(): string;
  /** Whether an API has to accept this access token. */
  verify(accessToken: string): Promise<boolean>;
  /**
   * Holds the next request `before` it is processed, or `after` that and before its response, and resolves when the
   * request is held. Its sender never gets a response; a request that was held `before` is never processed. For one that
   * is `paused`, resolves to a function that sends the response.
   */
  holdNext(hold: Hold): Promise<() => void>;
}

interface Rotation {
  readonly at: number;
  readonly body: string;
}

export async function startGraceServer(grace: Grace): Promise<GraceServer> {
  const endpoint = new Endpoint(grace);
  const server = createServer((request, response) => void endpoint.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(endpoint, {
    tokenEndpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    [Symbol.asyncDispose]: () => close(server),
  });
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

class Endpoint {
  requests = 0;
  isRevoked = false;
  readonly #grace: Grace;
  readonly #unused = new Set<string>();
  readonly #used = new Map<string, Rotation>();
  readonly #accepted = new Set<string>();
  #hold: { readonly when: Hold; readonly reached: (respond: () => void) => void } | undefined;

  constructor(grace: Grace) {
    this.#grace = grace;
  }

  mint(): string {
    const token = canary("refresh", randomBytes(16).toString("hex"));
    this.#unused.add(token);
    return token;
  }

  verify(accessToken: string): Promise<boolean> {
    return Promise.resolve(!this.isRevoked && this.#accepted.has(accessToken));
  }

  holdNext(when: Hold): Promise<() => void> {
    return new Promise((reached) => {
      this.#hold = { when, reached };
    });
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    this.requests += 1;
    const hold = this.#hold;
    this.#hold = undefined;
    if (hold?.when === "before") return hold.reached(() => {});
    const tokens = this.#exchange(new URLSearchParams(body).get("refresh_token") ?? "");
    if (hold?.when === "after") return hold.reached(() => {});
    if (hold) await new Promise<void>((respond) => hold.reached(respond));
    response.writeHead(tokens ? 200 : 400, { "content-type": "application/json" });
    response.end(tokens ?? '{"error":"invalid_grant"}');
  }

  /** Returns the body of a successful response; `undefined` means `invalid_grant`. */
  #exchange(token: string): string | undefined {
    if (this.isRevoked) return undefined;
    if (this.#unused.delete(token)) return this.#rotate(token);
    const rotation = this.#used.get(token);
    if (rotation && performance.now() - rotation.at < this.#grace.seconds * 1000) {
      return this.#grace.replayReturns === "same" ? rotation.body : this.#rotate(token);
    }
    this.isRevoked ||= rotation !== undefined;
    return undefined;
  }

  #rotate(token: string): string {
    const access = canary("access", createHash("sha256").update(randomBytes(16)).digest("hex"));
    this.#accepted.add(access);
    const tokens = { access_token: access, refresh_token: this.mint(), token_type: "Bearer", expires_in: 300 };
    const body = JSON.stringify(tokens);
    this.#used.set(token, { at: performance.now(), body });
    return body;
  }
}
