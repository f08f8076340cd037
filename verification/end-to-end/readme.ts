import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** The first TypeScript block of a Markdown text. */
export function firstProgram(markdown: string): string {
  const program = /^```ts\r?\n(.*?)^```/ms.exec(markdown)?.[1];
  if (program === undefined) throw new Error("README.md has no ```ts block");
  return program;
}

/** The same program as a CommonJS one: `require` for `import`, and no await outside of a function. */
export function asCommonJs(program: string): string {
  const imports = /^import (?:(\w+)|(\{[^}]*\})) from ("[^"]+");$/gm;
  const requires = [...program.matchAll(imports)].map(([, byDefault, names, from]) =>
    byDefault ? `const ${byDefault} = require(${from}).default;` : `const ${names} = require(${from});`,
  );
  return `${requires.join("\n")}\n(async () => {\n${program.replace(imports, "")}\n})();\n`;
}

const SECRET = "only for signed-in callers";
const ACCESS_TOKEN = "access-1";

const answers: Readonly<Record<string, (request: IncomingMessage) => readonly [status: number, body: object]>> = {
  "/token": () => [
    200,
    { access_token: ACCESS_TOKEN, token_type: "Bearer", expires_in: 3600, refresh_token: "refresh-1" },
  ],
  "/api": ({ headers }) =>
    headers.authorization === `Bearer ${ACCESS_TOKEN}` ? [200, { secret: SECRET }] : [401, { error: "no token" }],
};

function answer(request: IncomingMessage, response: ServerResponse): void {
  const [status, body] = answers[request.url ?? ""]?.(request) ?? [404, {}];
  request.resume();
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** A token endpoint and an API, for the README's program: `env` is what it is run with. */
export async function startServers() {
  const server = createServer(answer);
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
