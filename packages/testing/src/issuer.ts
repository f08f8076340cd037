import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { TokenSetInput } from "@unexpired/core";
import { TokenFamilies, type Verdict } from "./families.ts";

/** How an issuer behaves. */
export interface IssuerOptions {
  /** Whether a refresh token may be used once (`true`, the default) or again and again. */
  readonly rotation?: boolean | undefined;
  /** For how many seconds an exchanged refresh token is still answered. Default 0: its replay revokes the session. */
  readonly graceSeconds?: number | undefined;
  /** What it is answered with meanwhile: the same tokens, or further ones. Default `"new"`. */
  readonly replayReturns?: "same" | "new" | undefined;
  /** Lifetime of an access token in seconds, told as `expires_in`. Default 3600. */
  readonly expiresIn?: number | undefined;
  /** How long each answer takes, in milliseconds. Default 0. */
  readonly latency?: number | undefined;
  /** What every token begins with, so that a search through logs finds it. Default `"test-"`. */
  readonly prefix?: string | undefined;
  /** The issuer's clock, in epoch milliseconds. Default: the system's. */
  readonly now?: (() => number) | undefined;
}

/** What goes wrong with one request. What is absent goes well. */
export interface Fault {
  /** Answers this HTTP status, without processing the request unless it is 200. */
  readonly status?: number | undefined;
  /** Answers with these headers besides `content-type` and `cache-control`, or in place of them: names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Answers this: an object as JSON, a string as it is. Default: the answer as it would have been; nothing where the request is not processed. */
  readonly body?: string | object | undefined;
  /** Answers this much later, in milliseconds. The request is processed before that. */
  readonly delay?: number | undefined;
  /** Closes the connection without an answer, before the request was processed or after. */
  readonly drop?: "before" | "after" | undefined;
  /** Closes the connection after half of the answer. */
  readonly truncate?: boolean | undefined;
}

/** A request as the token endpoint saw it. */
export interface IssuerRequest {
  /** The form's fields. Holds the refresh token. */
  readonly form: Readonly<Record<string, string>>;
  /** What became of its refresh token: `"faulty"` where a fault kept it from being processed. */
  readonly verdict: Verdict | "faulty";
}

/** A real authorization server on a port of this machine, for tests. To dispose of it closes its connections. */
export interface Issuer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string;
  /** Where refresh tokens are exchanged, with POST. */
  readonly tokenEndpoint: string;
  /** Starts a session. Its tokens are numbered: `test-access-1.1` and `test-refresh-1.1`, after an exchange `…-1.2`. */
  signIn(): TokenSetInput;
  /** The next requests go wrong like this, one after the other. */
  next(...faults: readonly Fault[]): void;
  /** Whether a resource server would accept this access token now. */
  accepts(accessToken: string): boolean;
  /** Everything that the token endpoint was sent, in the order in which it was processed. */
  readonly requests: readonly IssuerRequest[];
  /** How many requests brought new tokens, without those that were answered within the grace period. */
  readonly exchanges: number;
  /** How many sessions were revoked, because a refresh token was presented twice. */
  readonly revoked: number;
}

/** Starts an authorization server with the refresh grant ({@link https://www.rfc-editor.org/rfc/rfc6749#section-6 RFC 6749 §6}). */
export async function startIssuer(options: IssuerOptions = {}): Promise<Issuer> {
  const endpoint = new TokenEndpoint(options);
  const server = createServer((request, response) => void endpoint.answer(request, response).catch(() => {}));
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

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: string;
}

class TokenEndpoint {
  readonly families: TokenFamilies;
  readonly faults: Fault[] = [];
  readonly requests: IssuerRequest[] = [];
  /** Ends what waits to be answered. */
  readonly closing = new AbortController();
  readonly #latency: number;

  constructor(options: IssuerOptions) {
    this.families = new TokenFamilies(options);
    this.#latency = options.latency ?? 0;
  }

  /** Rejects where the client or the issuer is gone before the answer. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "POST" || request.url !== PATH) return void response.writeHead(404).end();
    const form = Object.fromEntries(new URLSearchParams(await textOf(request)));
    const fault = this.faults.shift() ?? {};
    const isProcessed = fault.drop !== "before" && (fault.status ?? 200) === 200;
    const { verdict, answer } = isProcessed ? this.#process(form) : { verdict: "faulty" as const, answer: NOTHING };
    this.requests.push({ form, verdict });
    await setTimeout(this.#latency + (fault.delay ?? 0), undefined, { signal: this.closing.signal });
    if (fault.drop) return void response.destroy();
    if (!response.destroyed) send(response, { ...answer, ...toAnswer(fault) }, fault.truncate === true);
  }

  #process(form: Readonly<Record<string, string>>): { verdict: Verdict; answer: Answer } {
    if (form.grant_type !== "refresh_token") return { verdict: "unknown", answer: refusal("unsupported_grant_type") };
    if (!form.refresh_token) return { verdict: "unknown", answer: refusal("invalid_request") };
    const { verdict, tokens } = this.families.present(form.refresh_token);
    return { verdict, answer: tokens ? { status: 200, body: JSON.stringify(tokens) } : refusal("invalid_grant") };
  }
}

const NOTHING: Answer = { status: 500, body: "" };

const refusal = (error: string): Answer => ({ status: 400, body: JSON.stringify({ error }) });

/** What of an answer a fault replaces. */
function toAnswer({ status, headers, body }: Fault): Partial<Answer> {
  return {
    ...(status === undefined ? {} : { status }),
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  };
}

function send(response: ServerResponse, { status, headers, body }: Answer, isTruncated: boolean): void {
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
