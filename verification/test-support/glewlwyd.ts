import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Client, RealServer } from "./real-server.ts";

/** The tables and the first user, `admin`, as Debian's package creates them. */
const SCHEMA = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";
/** The pages of the server, and the file that they are configured with: in the package, it is a broken link. */
const PAGES = "/usr/share/glewlwyd/webapp";
const PAGES_CONFIG = "/usr/share/glewlwyd/templates/config.json";
/** The path of the plugin whose endpoints are used. */
const OIDC = "/api/oidc";
const SCOPE = "openid";
const REDIRECT_URI = "http://127.0.0.1/callback";
/** The user, who signs in on the page of the server with these. */
export const USER = { username: "ada", password: "canary-password-of-ada" };
const CLIENTS = {
  public: { client_id: "public-client" },
  confidential: { client_id: "confidential-client", client_secret: "canary-client-secret" },
};

/** Returns why the server cannot be started here, or `undefined` if it can. */
export function glewlwydSkipReason(): string | undefined {
  if (process.platform !== "linux") return "not applicable: Linux only";
  const programs = ["glewlwyd", "sqlite3"];
  const isInstalled = existsSync(SCHEMA) && programs.every((name) => spawnSync(name, ["--version"]).status === 0);
  return isInstalled ? undefined : "needs glewlwyd: apt-get install glewlwyd dbconfig-no-thanks";
}

/**
 * A real authorization server, `glewlwyd`, with a database of its own in a temporary directory. Its refresh tokens work
 * once: a replay disables the newest one of the session, too.
 */
export class Glewlwyd implements RealServer {
  readonly origin: string;
  readonly paths = { token: `${OIDC}/token`, revocation: `${OIDC}/revoke`, userInfo: `${OIDC}/userinfo` };
  readonly clients = CLIENTS;
  /** The issuer identifier, by which its endpoints are found. */
  get issuer(): string {
    return this.origin + OIDC;
  }
  readonly #child: ChildProcess;
  readonly #directory: string;
  #admin: ApiSession | undefined;
  #printed = "";

  private constructor(origin: string, { child, directory }: { child: ChildProcess; directory: string }) {
    this.origin = origin;
    this.#child = child;
    this.#directory = directory;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#printed += text;
    });
  }

  /** Starts a server with one user and the clients. */
  static async start(): Promise<Glewlwyd> {
    const directory = mkdtempSync(join(tmpdir(), "unexpired-glewlwyd-"));
    const { host, port } = await freeAddress();
    const config = join(directory, "glewlwyd.conf");
    const database = join(directory, "glewlwyd.db");
    const pages = join(directory, "pages");
    createDatabase(database);
    copyPages(pages);
    writeFileSync(config, printConfig({ host, port, database, pages }));
    const child = spawn("glewlwyd", [`--config-file=${config}`], { stdio: ["ignore", "ignore", "pipe"] });
    const server = new Glewlwyd(`http://${host}:${port}`, { child, directory });
    try {
      await server.#untilReady();
      await server.#configure();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  async mintRefreshToken(client: Client): Promise<string> {
    const code = await this.#authorize(client.client_id);
    const grant = { grant_type: "authorization_code", code, redirect_uri: REDIRECT_URI, ...client };
    const response = await fetch(this.origin + this.paths.token, { method: "POST", body: new URLSearchParams(grant) });
    if (!response.ok) throw new Error(`glewlwyd refused the authorization code: HTTP ${response.status}`);
    return ((await response.json()) as { refresh_token: string }).refresh_token;
  }

  /** Returns an authorization code for the user. */
  async #authorize(client_id: string): Promise<string> {
    const user = await ApiSession.signIn(this.origin, USER);
    await user.send("PUT", `/api/auth/grant/${client_id}/`, { scope: SCOPE });
    const query = { response_type: "code", client_id, redirect_uri: REDIRECT_URI, scope: SCOPE, nonce: "nonce" };
    const response = await user.send("GET", `${OIDC}/auth?${new URLSearchParams(query)}&g_continue`);
    const location = response.headers.get("location") ?? "";
    const code = URL.parse(location)?.searchParams.get("code");
    if (!code) throw new Error(`glewlwyd issued no authorization code. It redirected to "${location}".`);
    return code;
  }

  async #untilReady(): Promise<void> {
    while (!(await respondsAt(this.origin))) {
      if (this.#hasEnded) throw new Error(`glewlwyd ended. It printed:\n${this.#printed}`);
      await setTimeout(10);
    }
  }

  async #configure(): Promise<void> {
    const password = "canary-password-of-admin";
    const first = await ApiSession.signIn(this.origin, { username: "admin", password: "password" });
    await first.send("PUT", "/api/profile/password", { old_password: "password", password });
    const admin = await ApiSession.signIn(this.origin, { username: "admin", password });
    await admin.send("POST", "/api/mod/plugin/", printPlugin(this.origin));
    await admin.send("POST", "/api/user/", { ...USER, scope: [SCOPE] });
    for (const client of Object.values(CLIENTS)) await admin.send("POST", "/api/client/", printClient(client));
    this.#admin = admin;
  }

  /** Allows the public client this redirect URI, with its port, and no other. */
  async setRedirectUri(redirectUri: string): Promise<void> {
    const client = { ...printClient(CLIENTS.public), redirect_uri: [redirectUri] };
    await this.#admin?.send("PUT", `/api/client/${CLIENTS.public.client_id}`, client);
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#directory, { recursive: true });
  }
}

const respondsAt = (origin: string): Promise<boolean> =>
  fetch(origin).then(
    () => true,
    () => false,
  );

/** A signed-in user of the server's own API. */
class ApiSession {
  readonly #origin: string;
  readonly #cookie: string;

  private constructor(origin: string, cookie: string) {
    this.#origin = origin;
    this.#cookie = cookie;
  }

  static async signIn(origin: string, user: { username: string; password: string }): Promise<ApiSession> {
    const response = await new ApiSession(origin, "").send("POST", "/api/auth/", user);
    return new ApiSession(origin, response.headers.get("set-cookie")?.split(";", 1)[0] ?? "");
  }

  async send(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await fetch(this.#origin + path, {
      method,
      headers: { cookie: this.#cookie, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      redirect: "manual",
    });
    if (response.status < 400) return response;
    throw new Error(`glewlwyd: ${method} ${path}: HTTP ${response.status} ${await response.text()}`);
  }
}

/** Returns a loopback address that no other process uses, because the server cannot choose a free port itself. */
async function freeAddress(): Promise<{ host: string; port: number }> {
  const host = ["127", ...Array.from({ length: 3 }, () => randomInt(1, 255))].join(".");
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return { host, port };
}

function copyPages(directory: string): void {
  cpSync(PAGES, directory, { recursive: true, dereference: true, filter: (source) => !source.endsWith("config.json") });
  copyFileSync(PAGES_CONFIG, join(directory, "config.json"));
}

function createDatabase(path: string): void {
  const input = `BEGIN;\n${readFileSync(SCHEMA, "utf8")}\nCOMMIT;`;
  const { status, stderr } = spawnSync("sqlite3", ["-bail", path], { input, encoding: "utf8" });
  if (status !== 0) throw new Error(`sqlite3: ${stderr}`);
}

const MIME_TYPES = Object.entries({
  html: "text/html",
  css: "text/css",
  js: "text/javascript",
  json: "application/json",
}).map(([extension, type]) => `{ extension = ".${extension}"; mime_type = "${type}" }`);

const printConfig = ({ host, port, ...paths }: { host: string; port: number; database: string; pages: string }) => `
port = ${port}
bind_address = "${host}"
external_url = "http://${host}:${port}"
cookie_domain = "${host}"
cookie_secure = 0
log_mode = "console"
log_level = "ERROR"
user_module_path = "/usr/lib/glewlwyd/user"
user_middleware_module_path = "/usr/lib/glewlwyd/user_middleware"
client_module_path = "/usr/lib/glewlwyd/client"
user_auth_scheme_module_path = "/usr/lib/glewlwyd/scheme"
plugin_module_path = "/usr/lib/glewlwyd/plugin"
database = { type = "sqlite3"; path = "${paths.database}"; };
static_files_path = "${paths.pages}"
login_url = "login.html"
static_files_mime_types = (${MIME_TYPES.join(", ")});
`;

const printPlugin = (issuer: string) => ({
  module: "oidc",
  name: "oidc",
  display_name: "OpenID Connect",
  enabled: true,
  parameters: {
    iss: `${issuer}${OIDC}`,
    "jwt-type": "sha",
    "jwt-key-size": "256",
    key: "canary-signing-key",
    "access-token-duration": 10 * 60,
    "refresh-token-duration": 24 * 60 * 60,
    "code-duration": 60,
    "refresh-token-rolling": true,
    "refresh-token-one-use": "always",
    "auth-type-code-enabled": true,
    "auth-type-refresh-enabled": true,
    "auth-type-device-enabled": true,
    "device-authorization-expiration": 600,
    "device-authorization-interval": 1,
    "pkce-allowed": true,
    "introspection-revocation-allowed": true,
    "introspection-revocation-allow-target-client": true,
  },
});

const printClient = ({ client_id, client_secret }: Client) => ({
  client_id,
  name: client_id,
  enabled: true,
  confidential: client_secret !== undefined,
  ...(client_secret === undefined ? {} : { password: client_secret }),
  scope: [],
  // The server lets a client revoke tokens only if it may also use the client credentials grant.
  authorization_type: ["code", "refresh_token", "client_credentials", "device_authorization"],
  redirect_uri: [REDIRECT_URI],
  token_endpoint_auth_method: ["client_secret_basic", "client_secret_post"],
});
