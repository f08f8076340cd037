import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";

/** A request as it arrived. */
export interface Received {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export type Handler = (response: ServerResponse, received: Received) => void;

/** A server on loopback that plays a script, one step per request. The last step repeats. */
export async function startServer(...script: readonly Handler[]) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const { method, url: path, headers } = request;
    const entry = { method, path, headers, body: await read(request) };
    received.push(entry);
    script[Math.min(received.length, script.length) - 1]?.(response, entry);
  });
  return { received, ...(await listen(server)) };
}

/** Starts a TLS server with a self-signed certificate. */
export const startTlsServer = (): ReturnType<typeof listen> =>
  listen(createTlsServer({ key: KEY, cert: CERTIFICATE }, (_request, response) => response.end()));

export async function listen(server: Server & { closeAllConnections?: () => void }) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.closeAllConnections?.();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port, origin: `http://127.0.0.1:${port}`, close, [Symbol.asyncDispose]: close };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Responds with a status and a body: an object as JSON, a string unchanged. */
export const respondWith =
  (status: number, body: unknown = "", headers: Record<string, string> = {}): Handler =>
  (response) => {
    const isText = typeof body === "string";
    response.writeHead(status, { "content-type": isText ? "text/html" : "application/json", ...headers });
    response.end(isText ? body : JSON.stringify(body));
  };

/** Reads the request and resets the connection. */
export const drop: Handler = (response) => {
  response.socket?.resetAndDestroy();
};

/** For tests only: self-signed, for localhost. */
export const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNouM241O8S22ooWU
fxN+8new1lchDuEDi3lwqQsrxqihRANCAATTbxlFtBdXJRii0IoeLSs/X5/gMGA3
kLUqMYA1o3ABKNPX8Wr/6Ow7vExWR+ohqOX9n8ZAsSfMtRndHf39uLAv
-----END PRIVATE KEY-----`;
export const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUUffu5uGaXHc0iPzdhYyqjm2RKoAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjAwMzAzN1oYDzIxMjYxMDI5
MDAzMDM3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATTbxlFtBdXJRii0IoeLSs/X5/gMGA3kLUqMYA1o3ABKNPX8Wr/6Ow7
vExWR+ohqOX9n8ZAsSfMtRndHf39uLAvo28wbTAdBgNVHQ4EFgQU3npY7lBohEZb
ikvoBtffjeirZpYwHwYDVR0jBBgwFoAU3npY7lBohEZbikvoBtffjeirZpYwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhANbuybH3h/26Z1W6EVTTvzRirhKYs1WC2mZD3joYeA32AiAM
FcJj4G7ghKp93BGjzIRhQ7/tVT8sD4iqzu/lFmdOdw==
-----END CERTIFICATE-----`;
