/** The authorization server and the API of a run, in a process of their own. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { Authorization, type AuthorizationOptions } from "./authorization.ts";
import { answerParent, configOf } from "./child.ts";

/** The configuration of this process. */
export interface AuthorizationConfig extends AuthorizationOptions {
  /** How long an exchange takes, in milliseconds. */
  readonly latency: number;
}

const config = configOf<AuthorizationConfig>();
const authorization = new Authorization(config);

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}

async function exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const form = new URLSearchParams(await text(request));
  const tokens = authorization.exchange(form.get("refresh_token") ?? "", form.get("client_id") ?? "");
  await setTimeout(config.latency);
  if (!tokens) return send(response, 400, { error: "invalid_grant" });
  const { accessToken: access_token, refreshToken: refresh_token } = tokens;
  send(response, 200, { access_token, refresh_token, token_type: "Bearer", expires_in: config.lifetime });
}

/** Responds with the user of the token, or with 403 if it is not the one that the path names. */
function callApi(request: IncomingMessage, response: ServerResponse): void {
  const user = authorization.userOf(request.headers.authorization?.replace("Bearer ", "") ?? "");
  const status = request.url === `/api/${user}` ? 200 : 403;
  send(response, user === undefined ? 401 : status, { user });
}

const server = createServer((request, response) => {
  if (request.method !== "POST") return callApi(request, response);
  exchange(request, response).catch(() => response.destroy()); // the client has been killed
});
server.keepAliveTimeout = 600_000; // a connection never ends just when a request is sent
server.listen(0, "127.0.0.1");
await once(server, "listening");

answerParent({
  origin: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  start: ({ user, lifetime }: { user: string; lifetime: number }) => authorization.start(user, lifetime),
  kill: (client: string) => authorization.kill(client),
  report: () => authorization.report(),
});
