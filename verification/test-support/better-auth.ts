import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { oauthProvider } from "@better-auth/oauth-provider";
import { type BetterAuthPlugin, betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { jwt } from "better-auth/plugins";
import type { Client, RealServer } from "./real-server.ts";

const API = "/api/auth";
const REDIRECT_URI = "https://app.example/callback";
const SCOPE = "openid offline_access";
const TABLES = [
  "user",
  "session",
  "account",
  "verification",
  "jwks",
  "oauthClient",
  "oauthResource",
  "oauthClientResource",
  "oauthRefreshToken",
  "oauthAccessToken",
  "oauthConsent",
];

/** A real authorization server, Better Auth, in this process and in memory. A replay revokes the session. */
export class BetterAuth implements RealServer {
  readonly origin: string;
  readonly clients: RealServer["clients"];
  readonly paths = {
    token: `${API}/oauth2/token`,
    revocation: `${API}/oauth2/revoke`,
    userInfo: `${API}/oauth2/userinfo`,
  };
  readonly #server: Server;
  readonly #user: UserSession;

  private constructor(server: Server, { clients, user }: { clients: RealServer["clients"]; user: UserSession }) {
    this.origin = originOf(server);
    this.clients = clients;
    this.#server = server;
    this.#user = user;
  }

  /** Starts a server with one user, who registers the clients. */
  static async start(): Promise<BetterAuth> {
    const server = createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    server.on("request", toNodeHandler(configure(originOf(server))));
    const user = await UserSession.signUp(originOf(server));
    const { client_id } = await user.register("none");
    const confidential = await user.register("client_secret_post");
    return new BetterAuth(server, { clients: { public: { client_id }, confidential }, user });
  }

  async mintRefreshToken(client: Client): Promise<string> {
    const code_verifier = randomBytes(32).toString("base64url");
    const code = await this.#user.authorize(client.client_id, code_verifier);
    const grant = { grant_type: "authorization_code", code, code_verifier, redirect_uri: REDIRECT_URI, ...client };
    const response = await fetch(this.origin + this.paths.token, { method: "POST", body: new URLSearchParams(grant) });
    return (await readJson(response)).refresh_token ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}

/** A signed-in user of the server. */
class UserSession {
  readonly #origin: string;
  readonly #cookie: string;

  private constructor(origin: string, cookie: string) {
    this.#origin = origin;
    this.#cookie = cookie;
  }

  static async signUp(origin: string): Promise<UserSession> {
    const user = { email: "ada@app.example", password: "canary-password", name: "Ada" };
    const response = await new UserSession(origin, "").#post("/sign-up/email", user);
    const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(";", 1)[0]);
    return new UserSession(origin, cookies.join("; "));
  }

  async register(token_endpoint_auth_method: "none" | "client_secret_post"): Promise<Required<Client>> {
    const grant_types = ["authorization_code", "refresh_token"];
    const client = { redirect_uris: [REDIRECT_URI], grant_types, scope: SCOPE, token_endpoint_auth_method };
    const { client_id = "", client_secret = "" } = await readJson(await this.#post("/oauth2/register", client));
    return { client_id, client_secret };
  }

  /** Returns an authorization code, to which the user has consented. */
  async authorize(client_id: string, code_verifier: string): Promise<string> {
    const query = new URLSearchParams({
      response_type: "code",
      client_id,
      redirect_uri: REDIRECT_URI,
      scope: SCOPE,
      state: "state",
      code_challenge: createHash("sha256").update(code_verifier).digest("base64url"),
      code_challenge_method: "S256",
    });
    const headers = { cookie: this.#cookie, accept: "application/json" };
    const { url = "" } = await readJson(await fetch(`${this.#origin}${API}/oauth2/authorize?${query}`, { headers }));
    return codeIn(url) ?? codeIn(await this.#consent(new URL(url, this.#origin))) ?? "";
  }

  /** Consents on the page to which the server sends the user the first time, and returns where it sends the user next. */
  async #consent(page: URL): Promise<string> {
    const consent = { accept: true, oauth_query: page.search.slice(1) };
    return (await readJson(await this.#post("/oauth2/consent", consent))).url ?? "";
  }

  #post(path: string, body: unknown): Promise<Response> {
    const headers = { origin: this.#origin, cookie: this.#cookie, "content-type": "application/json" };
    return fetch(this.#origin + API + path, { method: "POST", headers, body: JSON.stringify(body) });
  }
}

const codeIn = (url: string) => URL.parse(url)?.searchParams.get("code") ?? undefined;
const originOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function readJson(response: Response): Promise<Readonly<Record<string, string>>> {
  const text = await response.text();
  if (!response.ok) throw new Error(`Better Auth: ${response.url}: HTTP ${response.status} ${text}`);
  return JSON.parse(text);
}

const configure = (baseURL: string) =>
  betterAuth({
    baseURL,
    secret: "canary-secret-that-signs-the-cookies",
    database: memoryAdapter(Object.fromEntries(TABLES.map((name) => [name, []]))),
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    plugins: [jwt(), provider as unknown as BetterAuthPlugin], // its types do not know `exactOptionalPropertyTypes`
  });

const provider = oauthProvider({
  loginPage: "/",
  consentPage: "/",
  scopes: SCOPE.split(" "),
  allowDynamicClientRegistration: true,
});
