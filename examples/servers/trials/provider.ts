/** An authorization server and an API whose users the tests know. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json, text } from "node:stream/consumers";
import type { TokenSet, TokenSetInput } from "@unexpired/core";
import { type Issuer, type IssuerOptions, startIssuer } from "@unexpired/testing";
import { CANARY } from "@unexpired-internal/test-support/canary";

type Reply = readonly [status: number, body: object, location?: string];
type Route = (request: IncomingMessage, url: URL) => Reply | Promise<Reply>;

export class Provider implements AsyncDisposable {
  readonly issuer: Issuer;
  /** The URL of both, with `/authorize`, `/token`, `/profile` and `/notes`. */
  readonly origin: string;
  /** Requests with a token of another user than the one that their body names. */
  readonly mixedUp: string[] = [];
  /** Access tokens, and users, that the API rejects. */
  readonly rejected = new Set<string>();
  /** The number of requests that the API has rejected. */
  rejections = 0;
  readonly #server: Server;
  readonly #owners = new Map<string, string>();
  readonly #codes = new Map<string, string>();

  private constructor(issuer: Issuer, server: Server, origin: string) {
    this.issuer = issuer;
    this.#server = server;
    this.origin = origin;
  }

  static async start(options: IssuerOptions = {}): Promise<Provider> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const issuer = await startIssuer({ prefix: CANARY, ...options });
    const provider = new Provider(issuer, server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on("request", async (request, response) => {
      const [status, body, location] = await provider.#respond(request).catch((): Reply => [502, {}]);
      const headers = { "content-type": "application/json", ...(location && { location }) };
      response.writeHead(status, headers).end(JSON.stringify(body));
    });
    return provider;
  }

  /** Starts a session of that user, as a sign-in would. */
  signIn(user: string): TokenSetInput & Pick<TokenSet, "accessToken"> {
    const tokens = this.issuer.signIn();
    this.#owners.set(sessionOf(tokens.accessToken), user);
    return tokens;
  }

  async #respond(request: IncomingMessage): Promise<Reply> {
    const url = new URL(request.url ?? "", this.origin);
    const route = this.#routes[`${request.method} ${url.pathname}`];
    return route ? route(request, url) : [404, {}];
  }

  /** Signs in the user whom the test names as `login_hint`. */
  readonly #authorize: Route = (_request, { searchParams }) => {
    const code = `code-${this.#codes.size}`;
    this.#codes.set(code, searchParams.get("login_hint") ?? "");
    const response = new URLSearchParams({ code, state: searchParams.get("state") ?? "" });
    return [302, {}, `${searchParams.get("redirect_uri")}?${response}`];
  };

  readonly #token: Route = async (request) => {
    const body = await text(request);
    const form = new URLSearchParams(body);
    if (form.get("grant_type") === "authorization_code") return this.#redeem(form.get("code") ?? "");
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const response = await fetch(this.issuer.tokenEndpoint, { method: "POST", headers, body });
    return [response.status, (await response.json()) as object];
  };

  #redeem(code: string): Reply {
    const user = this.#codes.get(code);
    if (!user) return [400, { error: "invalid_grant" }];
    const { accessToken, refreshToken, expiresAt = 0 } = this.signIn(user);
    const expires_in = Math.ceil((Number(expiresAt) - Date.now()) / 1000);
    return [200, { access_token: accessToken, refresh_token: refreshToken, token_type: "Bearer", expires_in }];
  }

  /** The user to whom the token of a request belongs; `undefined` if it is not valid. */
  #userOf({ headers }: IncomingMessage): string | undefined {
    const token = headers.authorization?.slice("Bearer ".length) ?? "";
    const user = this.#owners.get(sessionOf(token)) ?? "";
    if (this.issuer.accepts(token) && !this.rejected.has(token) && !this.rejected.has(user)) return user;
    this.rejections++;
    return undefined;
  }

  readonly #profile: Route = (request) => {
    const user = this.#userOf(request);
    return user === undefined ? [401, { error: "invalid_token" }] : [200, { user }];
  };

  readonly #notes: Route = async (request) => {
    const user = this.#userOf(request);
    const note = (await json(request)) as { user: string };
    if (user === undefined) return [401, { error: "invalid_token" }];
    if (note.user !== user) this.mixedUp.push(`${note.user} got the token of ${user}`);
    return [200, { user }];
  };

  readonly #routes: Readonly<Record<string, Route>> = {
    "GET /authorize": this.#authorize,
    "POST /token": this.#token,
    "GET /profile": this.#profile,
    "POST /notes": this.#notes,
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.issuer[Symbol.asyncDispose]();
  }
}

/** The tokens of the issuer name the number of their session. */
const sessionOf = (token: string): string => /-(\d+)\.\d+$/.exec(token)?.[1] ?? "";
