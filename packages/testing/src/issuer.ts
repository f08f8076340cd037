import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { TokenSet, TokenSetInput } from "@unexpired/core";
import { TokenFamilies, type Verdict } from "./families.ts";

/** Options of {@link startIssuer}. */
export interface IssuerOptions {
  /** Whether each exchange replaces the refresh token. If `false`, the first one stays valid. Default `true`. */
  readonly rotation?: boolean | undefined;
  /** How long an exchanged refresh token may be replayed, in seconds. Default 0: any replay revokes the session. */
  readonly graceSeconds?: number | undefined;
  /** The tokens that a replay within the grace period returns: the same ones again, or new ones. Default `"new"`. */
  readonly replayReturns?: "same" | "new" | undefined;
  /** The lifetime of an access token in seconds, reported as `expires_in`. Default 3600. */
  readonly expiresIn?: number | undefined;
  /** The delay of each response in milliseconds. Default 0. */
  readonly latency?: number | undefined;
  /** The prefix of every token, so that logs can be searched for leaked tokens. Default `"test-"`. */
  readonly prefix?: string | undefined;
  /** The issuer's clock, in epoch milliseconds. Default: the system clock. */
  readonly now?: (() => number) | undefined;
}

/** A failure to inject into one request. Omitted members have no effect. */
export interface Fault {
  /** Responds with this HTTP status. The request is processed only if it is 200. */
  readonly status?: number | undefined;
  /** Response headers, with lower-case names. They are added to `content-type` and `cache-control`, or replace them. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * The response body: an object as JSON, a string unmodified. Default: the normal body, or an empty one for an
   * unprocessed request.
   */
  readonly body?: string | object | undefined;
  /** An additional delay of the response in milliseconds. The request is processed before the delay. */
  readonly delay?: number | undefined;
  /** Closes the connection without a response, before or after processing the request. */
  readonly drop?: "before" | "after" | undefined;
  /** Closes the connection after half of the response body. */
  readonly truncate?: boolean | undefined;
}

/** A request that the token endpoint received. */
export interface IssuerRequest {
  /** The form fields, including the refresh token. */
  readonly form: Readonly<Record<string, string>>;
  /** The outcome for its refresh token, or `"faulty"` if a fault prevented processing. */
  readonly verdict: Verdict | "faulty";
}

/** A real authorization server on a local port, for tests. Disposing it closes its connections. */
export interface Issuer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string;
  /** The URL that exchanges refresh tokens, with POST. */
  readonly tokenEndpoint: string;
  /**
   * Starts a session. Its tokens are numbered: `test-access-1.1` and `test-refresh-1.1`, and `…-1.2` after an exchange.
   */
  signIn(): TokenSetInput & Pick<TokenSet, "accessToken">;
  /** Queues faults. Each applies to one request, in order. */
  next(...faults: readonly Fault[]): void;
  /** Whether the access token is currently valid: issued, not expired, and its session not revoked. */
  accepts(accessToken: string): boolean;
  /** All requests to the token endpoint, in the order in which they were processed. */
  readonly requests: readonly IssuerRequest[];
  /** The number of exchanges, not counting replays within the grace period. */
  readonly exchanges: number;
  /** The number of sessions that were revoked because a refresh token was reused. */
  readonly revoked: number;
}

/**
 * Starts an authorization server that supports the refresh grant ({@link
 * https://www.rfc-editor.org/rfc/rfc6749#section-6 RFC 6749 §6}).
 */
export async function startIssuer(options: IssuerOptions = {}): Promise<Issuer> {
  const endpoint = new TokenEndpoint(options);
  const server = createServer((request, response) => void endpoint.respond(request, response).catch(() => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { families, faults, requests } = endpoint;
  return {
    origin,
    tokenEndpoint: `${origin}${PATH}`,
    signIn: () => families.start(),
    next: (...next) => void faults.push(...next),
    accepts: (accessToken) => families.accepts(accessToken),
    requests,
    get exchanges() {
      return requests.filter(({ verdict }) => verdict === "exchanged").length;
    },
    get revoked() {
      return families.revoked;
    },
    async [Symbol.asyncDispose]() {
      endpoint.closing.abort();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

const PATH = "/token";

interface EndpointResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: string;
}

class TokenEndpoint {
  readonly families: TokenFamilies;
  readonly faults: Fault[] = [];
  readonly requests: IssuerRequest[] = [];
  /** Aborts responses that are still delayed. */
  readonly closing = new AbortController();
  readonly #latency: number;

  constructor(options: IssuerOptions) {
    this.families = new TokenFamilies(options);
    this.#latency = options.latency ?? 0;
  }

  /** Rejects if the client disconnects or the issuer is disposed before the response. */
  async respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "POST" || request.url !== PATH) return void response.writeHead(404).end();
    const form = Object.fromEntries(new URLSearchParams(await textOf(request)));
    const fault = this.faults.shift() ?? {};
    const isProcessed = fault.drop !== "before" && (fault.status ?? 200) === 200;
    const { verdict, reply } = isProcessed ? this.#process(form) : { verdict: "faulty" as const, reply: UNPROCESSED };
    this.requests.push({ form, verdict });
    await setTimeout(this.#latency + (fault.delay ?? 0), undefined, { signal: this.closing.signal });
    if (fault.drop) return void response.destroy();
    if (!response.destroyed) send(response, { ...reply, ...overridesOf(fault) }, fault.truncate === true);
  }

  #process(form: Readonly<Record<string, string>>): { verdict: Verdict; reply: EndpointResponse } {
    if (form.grant_type !== "refresh_token")
      return { verdict: "unknown", reply: errorResponse("unsupported_grant_type") };
    if (!form.refresh_token) return { verdict: "unknown", reply: errorResponse("invalid_request") };
    const { verdict, tokens } = this.families.present(form.refresh_token);
    return { verdict, reply: tokens ? { status: 200, body: JSON.stringify(tokens) } : errorResponse("invalid_grant") };
  }
}

const UNPROCESSED: EndpointResponse = { status: 500, body: "" };

const errorResponse = (error: string): EndpointResponse => ({ status: 400, body: JSON.stringify({ error }) });

/** Returns the parts of a response that a fault replaces. */
function overridesOf({ status, headers, body }: Fault): Partial<EndpointResponse> {
  return {
    ...(status === undefined ? {} : { status }),
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  };
}

function send(response: ServerResponse, { status, headers, body }: EndpointResponse, isTruncated: boolean): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "cache-control": "no-store",
    ...headers,
    "content-length": bytes.length,
  });
  if (!isTruncated) return void response.end(bytes);
  response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
