import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

/** Returns the first TypeScript block of a Markdown text. */
export function firstProgram(markdown: string): string {
  const program = /^```ts\r?\n(.*?)^```/ms.exec(markdown)?.[1];
  if (program === undefined) throw new Error("The README has no ```ts block.");
  return program;
}

/** Converts a program to CommonJS: `require` instead of `import`, and no top-level await. */
export function asCommonJs(program: string): string {
  const imports = /^import (?:(\w+)|(\{[^}]*\})) from ("[^"]+");$/gm;
  const requires = [...program.matchAll(imports)].map(([, byDefault, names, from]) =>
    byDefault ? `const ${byDefault} = require(${from}).default;` : `const ${names} = require(${from});`,
  );
  return `${requires.join("\n")}\n(async () => {\n${program.replace(imports, "")}\n})();\n`;
}

const SECRET = "only for signed-in callers";
const ACCESS_TOKEN = "access-1";

/** The results of an MCP server, by the method of the request. */
const RESULTS: Readonly<Record<string, object>> = {
  initialize: {
    protocolVersion: "2025-06-18",
    capabilities: { tools: {} },
    serverInfo: { name: "tools", version: "1.0.0" },
  },
  "tools/list": { tools: [{ name: "read", description: SECRET, inputSchema: { type: "object" } }] },
};

const isSignedIn = ({ headers }: IncomingMessage) => headers.authorization === `Bearer ${ACCESS_TOKEN}`;

type Reply = readonly [status: number, body: object, location?: string];
type Route = (request: IncomingMessage, url: URL, body: string) => Reply;

/** Responds as an MCP server does (Streamable HTTP). A notification has no ID, and gets no result. */
function respondToMcp(message: string): Reply {
  const { id, method } = JSON.parse(message);
  const result = RESULTS[method];
  if (id === undefined) return [202, {}];
  return [200, { jsonrpc: "2.0", id, ...(result ? { result } : { error: { code: -32601, message: method } }) }];
}

const routes: Readonly<Record<string, Route>> = {
  "/.well-known/oauth-authorization-server": (_request, { origin }) => [
    200,
    {
      issuer: origin,
      authorization_endpoint: `${origin}/auth`,
      token_endpoint: `${origin}/token`,
      registration_endpoint: `${origin}/register`,
      response_types_supported: ["code"],
    },
  ],
  "/auth": (_request, { searchParams }) => {
    const response = new URLSearchParams({ code: "code-1", state: searchParams.get("state") ?? "" });
    return [302, {}, `${searchParams.get("redirect_uri")}?${response}`];
  },
  "/token": () => [
    200,
    { access_token: ACCESS_TOKEN, token_type: "Bearer", expires_in: 3600, refresh_token: "refresh-1" },
  ],
  "/register": () => [201, { client_id: "client-1" }],
  "/mcp": (request, _url, body) => {
    if (!isSignedIn(request)) return [401, { error: "no token" }];
    return request.method === "POST" ? respondToMcp(body) : [405, {}];
  },
  "/api": (request) => (isSignedIn(request) ? [200, { secret: SECRET }] : [401, { error: "no token" }]),
};

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "", `http://${request.headers.host}`);
  const given = await text(request);
  const [status, body, location] = routes[url.pathname]?.(request, url, given) ?? [404, {}];
  const headers = { "content-type": "application/json", ...(location && { location }) };
  response.writeHead(status, headers).end(JSON.stringify(body));
}

/** Writes a program for the variable `BROWSER`: a user who consents without being asked. */
function writeBrowser(folder: string): string {
  const file = join(folder, "browser");
  writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" -e 'fetch(process.argv[1])' "$1"\n`, { mode: 0o700 });
  return file;
}

/** Starts an authorization server, an API and an MCP server for a README's program, to be run with the environment variables `env`. */
export async function startServers() {
  const server = createServer((request, response) => void respond(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const folder = mkdtempSync(join(tmpdir(), "unexpired-browser-"));
  const signIn = { ISSUER: origin, BROWSER: writeBrowser(folder) };
  return {
    env: {
      ...signIn,
      TOKEN_ENDPOINT: `${origin}/token`,
      API: `${origin}/api`,
      MCP_SERVER: `${origin}/mcp`,
      REFRESH_TOKEN: "refresh-0",
    },
    secretOfTheApi: SECRET,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}
