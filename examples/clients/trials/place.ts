/** The place of one row: a session at a real authorization server, and an API. */
import { inspect } from "node:util";
import { createTokenManager, type TokenManager, type TokenSource } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { type AuthorizationServer, startAuthorizationServer } from "@unexpired-internal/demo/authorization-server";
import { type Deferred, deferred } from "@unexpired-internal/tables/deferred";
import type { Place as TablePlace } from "@unexpired-internal/tables/row";
import { Api } from "../servers/api.ts";

/** A response of the token endpoint that was received, and is held back from the session. */
export interface HeldRefresh {
  readonly received: Promise<void>;
  release(): void;
}

export class Place implements TablePlace {
  readonly api: Api;
  /** The session. */
  readonly tokens: TokenManager;
  /** The same, for a client: counts how often that asks for a token. */
  readonly source: TokenSource;
  calls = 0;
  readonly #server: AuthorizationServer;
  /** The access tokens, in the order in which they were issued. */
  readonly #issued: string[] = [];
  readonly #rejected = new Set<string>();
  #firstRefreshToken = "";
  /** The number of requests to the token endpoint that are not the session's. */
  #ownRequests = 0;
  #held: { readonly received: Deferred<void>; readonly released: Deferred<void> } | undefined;

  private constructor(server: AuthorizationServer, api: Api) {
    this.#server = server;
    this.api = api;
    const { tokenEndpoint, clientId } = server;
    const fetch = (...call: Parameters<typeof globalThis.fetch>) => this.#exchange(...call);
    const tokens = createTokenManager({ refresh: oauth2Refresh({ tokenEndpoint, clientId, fetch }) });
    this.tokens = tokens;
    this.source = {
      getTokenSet: (options) => {
        this.calls += 1;
        return tokens.getTokenSet(options);
      },
      replaceRejected: (accessToken, options) => tokens.replaceRejected(accessToken, options),
    };
  }

  /** Starts the servers, and signs in. */
  static async create(): Promise<Place> {
    const server = await startAuthorizationServer({ accessTokenSeconds: 3600 });
    const api = await Api.start(async (token) => !place.#rejected.has(token) && (await server.verify(token)));
    const place: Place = new Place(server, api);
    await place.#signIn();
    return place;
  }

  /** Makes the API reject the token that was issued last. */
  rejectToken(): void {
    this.#rejected.add(this.#issued.at(-1) ?? "");
  }

  /** Makes the authorization server end the session: a refresh token is presented again. */
  async endSession(): Promise<void> {
    await this.#present(this.#firstRefreshToken);
  }

  /** Holds back the response to the next refresh. */
  holdRefresh(): HeldRefresh {
    const held = { received: deferred<void>(), released: deferred<void>() };
    this.#held = held;
    return { received: held.received.promise, release: () => held.released.resolve() };
  }

  /** The tokens that the API received, by number. */
  get sent(): string {
    const sent = this.api.received.map((token) => (token === undefined ? "no token" : this.#nameOf(token)));
    return [...sent, ...(this.api.hasOtherCredentials ? ["and another credential"] : [])].join(", ");
  }

  get exchanges(): string {
    const count = this.#server.tokenRequests - this.#ownRequests;
    const revoked = this.#server.revokedGrants > 0 ? ", session revoked" : "";
    return `${count} ${count === 1 ? "exchange" : "exchanges"}${revoked}`;
  }

  /** Returns a remark if an error shows a token. */
  leakOf(error: unknown): string {
    const shown = inspect(error, { depth: 9, showHidden: true });
    return this.#issued.some((token) => shown.includes(token)) ? ", AND SHOWS A TOKEN" : "";
  }

  tidy(text: string): string {
    return this.#issued.reduce((tidied, token) => tidied.replaceAll(token, "A TOKEN"), text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#held?.released.resolve();
    await this.tokens.close();
    await this.api[Symbol.asyncDispose]();
    await this.#server.close();
  }

  #nameOf(token: string): string {
    const index = this.#issued.indexOf(token);
    return index === -1 ? "an unknown token" : `token ${index + 1}`;
  }

  /** A `fetch` for the token endpoint. */
  async #exchange(...call: Parameters<typeof globalThis.fetch>): Promise<Response> {
    const response = await fetch(...call);
    const { access_token: accessToken } = await response.clone().json();
    if (accessToken) this.#issued.push(accessToken);
    this.#held?.received.resolve();
    await this.#held?.released.promise;
    return response;
  }

  async #present(refreshToken: string): Promise<Response> {
    this.#ownRequests += 1;
    const { tokenEndpoint, clientId } = this.#server;
    const form = { grant_type: "refresh_token", refresh_token: refreshToken, client_id: clientId };
    return this.#exchange(tokenEndpoint, { method: "POST", body: new URLSearchParams(form) });
  }

  /** Stores tokens as a sign-in does. A token from a refresh would be too new for a 401 to lead to another refresh. */
  async #signIn(): Promise<void> {
    this.#firstRefreshToken = await this.#server.mintRefreshToken();
    const response = await this.#present(this.#firstRefreshToken);
    const { access_token: accessToken, refresh_token: refreshToken, expires_in } = await response.json();
    await this.tokens.signIn({ accessToken, refreshToken, expiresAt: Date.now() + expires_in * 1000 });
  }
}
