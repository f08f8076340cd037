import type { IncomingMessage, ServerResponse } from "node:http";
import { McpServer as SdkServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { listenOnLoopback } from "@unexpired-internal/demo/loopback";
import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  startAuthorizationServer,
} from "./authorization-server.ts";

/** An MCP server of the SDK, which accepts the access tokens of an authorization server. */
export interface McpServer extends AsyncDisposable {
  readonly url: string;
  readonly authorization: AuthorizationServer;
  /** The requests to the MCP endpoint so far: their method, and the status of the response. */
  readonly requests: readonly {
    readonly method: string;
    readonly status: number;
    readonly token: string | undefined;
  }[];
}

export interface McpServerOptions extends Omit<AuthorizationServerOptions, "resource"> {
  /** The scope that the tool `write` requires. Default: none. */
  readonly writeScope?: string;
  /** The scope that a challenge names. Default: none. */
  readonly challengeScope?: string;
}

/** Starts an MCP server with two tools, `echo` and `write`, and its authorization server. */
export async function startMcpServer(options: McpServerOptions = {}): Promise<McpServer> {
  const { origin, server, close } = await listenOnLoopback();
  const url = `${origin}/mcp`;
  const authorization = await startAuthorizationServer({ ...options, resource: () => url });
  const metadataUrl = `${origin}/.well-known/oauth-protected-resource/mcp`;
  const metadata = () => ({
    resource: url,
    authorization_servers: [authorization.issuer],
    scopes_supported: ["mcp"],
  });
  const requests: { method: string; status: number; token: string | undefined }[] = [];

  const challenge = (parameters: Readonly<Record<string, string | undefined>>) => {
    const all = Object.entries({ ...parameters, resource_metadata: metadataUrl });
    return `Bearer ${all.flatMap(([name, value]) => (value === undefined ? [] : `${name}="${value}"`)).join(", ")}`;
  };
  /** Returns the status and the challenge with which a request is refused. */
  const refusalOf = (scope: string | undefined, body: unknown): [status: number, challenge: string] | undefined => {
    const { challengeScope, writeScope } = options;
    if (scope === undefined) return [401, challenge({ error: "invalid_token", scope: challengeScope })];
    const isEnough = !writeScope || !isWrite(body) || scope.split(" ").includes(writeScope);
    return isEnough ? undefined : [403, challenge({ error: "insufficient_scope", scope: writeScope })];
  };
  const respondTo = async (request: IncomingMessage, response: ServerResponse) => {
    const token = bearerOf(request);
    response.once("close", () => requests.push({ method: request.method ?? "", status: response.statusCode, token }));
    const body = await readJson(request);
    const refusal = refusalOf(token && (await authorization.scopeOf(token, url)), body);
    if (refusal) return json(response.setHeader("www-authenticate", refusal[1]), refusal[0], { error: "refused" });
    if (request.method !== "POST") return json(response, 405, { error: "method_not_allowed" });
    await serve(request, response, body);
  };
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const { href } = new URL(request.url ?? "", origin);
    if (href === url) return respondTo(request, response);
    return href === metadataUrl ? json(response, 200, metadata()) : json(response, 404, { error: "not_found" });
  };
  server.on("request", (request, response) => {
    respond(request, response).catch((error) => response.destroy(error));
  });
  return {
    url,
    authorization,
    requests,
    async [Symbol.asyncDispose]() {
      await authorization[Symbol.asyncDispose]();
      await close();
    },
  };
}

/** Serves one request without a session, so that clients of any process can send it. */
async function serve(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
  const server = new SdkServer({ name: "tools", version: "1.0.0" });
  const reply = async () => ({ content: [{ type: "text" as const, text: "done" }] });
  server.registerTool("echo", { description: "Replies." }, reply);
  server.registerTool("write", { description: "Replies to those who may write." }, reply);
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
  response.once("close", () => void transport.close());
  await server.connect(transport as Parameters<SdkServer["connect"]>[0]);
  await transport.handleRequest(request, response, body);
}

const bearerOf = ({ headers }: IncomingMessage): string | undefined =>
  /^Bearer (\S+)$/i.exec(headers.authorization ?? "")?.[1];

const isWrite = (body: unknown): boolean => Object(Object(body).params).name === "write";

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
