import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

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

const routes: Readonly<Record<string, (request: IncomingMessage) => readonly [status: number, body: object]>> = {
  "/token": () => [
    200,
    { access_token: ACCESS_TOKEN, token_type: "Bearer", expires_in: 3600, refresh_token: "refresh-1" },
  ],
  "/api": ({ headers }) =>
    headers.authorization === `Bearer ${ACCESS_TOKEN}` ? [200, { secret: SECRET }] : [401, { error: "no token" }],
};

function respond(request: IncomingMessage, response: ServerResponse): void {
  const [status, body] = routes[request.url ?? ""]?.(request) ?? [404, {}];
  request.resume();
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** Starts a token endpoint and an API for a README's program, to be run with the environment variables `env`. */
export async function startServers() {
  const server = createServer(respond);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    env: { TOKEN_ENDPOINT: `${origin}/token`, API: `${origin}/api`, REFRESH_TOKEN: "refresh-0" },
    secretOfTheApi: SECRET,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
