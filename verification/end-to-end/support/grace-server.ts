import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { canary } from "./canary.ts";

/** How a token endpoint treats a refresh token that was used already. */
export interface Grace {
  /** For how long after its rotation it is still answered, in seconds; 0: at once the whole session is revoked. */
  readonly seconds: number;
  /** With what: the same tokens as before, or new ones. */
  readonly answer: "same" | "new";
}

/** Where a request is held up, so that its sender can be killed meanwhile. */
export type Hold = "before" | "after";

/** An authorization server for one client that rotates refresh tokens, with or without grace. */
export interface GraceServer extends AsyncDisposable {
  readonly tokenEndpoint: string;
  /** Requests that reached the endpoint. */
  readonly requests: number;
  readonly isRevoked: boolean;
  /** Starts a session. */
  mint(): string;
  /** Whether an API has to accept this access token. */
  verify(accessToken: string): Promise<boolean>;
  /**
   * The next request is held `before` it is processed, or `after` it, before its answer; resolves when it is. Its
   * sender gets no answer, ever; what was held before it was processed never is.
   */
  holdNext(hold: Hold): Promise<void>;
}

interface Rotation {
  readonly at: number;
  readonly answer: string;
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
  #hold: { readonly when: Hold; readonly reached: () => void } | undefined;

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

  holdNext(when: Hold): Promise<void> {
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
    if (hold?.when === "before") return hold.reached();
    const answer = this.#exchange(new URLSearchParams(body).get("refresh_token") ?? "");
    if (hold) return hold.reached();
    response.writeHead(answer ? 200 : 400, { "content-type": "application/json" });
    response.end(answer ?? '{"error":"invalid_grant"}');
  }

  /** `undefined`: refused. */
  #exchange(token: string): string | undefined {
    if (this.isRevoked) return undefined;
    if (this.#unused.delete(token)) return this.#rotate(token);
    const rotation = this.#used.get(token);
    if (rotation && performance.now() - rotation.at < this.#grace.seconds * 1000) {
      return this.#grace.answer === "same" ? rotation.answer : this.#rotate(token);
    }
    this.isRevoked ||= rotation !== undefined;
    return undefined;
  }

  #rotate(token: string): string {
    const access = canary("access", createHash("sha256").update(randomBytes(16)).digest("hex"));
    this.#accepted.add(access);
    const tokens = { access_token: access, refresh_token: this.mint(), token_type: "Bearer", expires_in: 300 };
    const answer = JSON.stringify(tokens);
    this.#used.set(token, { at: performance.now(), answer });
    return answer;
  }
}
