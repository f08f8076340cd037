/** Runs each recipe with the real package, against a real server on this machine. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { isAuthError, staticToken } from "@unexpired/core";
import { accepting, type Session, startResourceServer, startSession, UNAUTHORIZED } from "@unexpired/testing";
import type { EventSource } from "eventsource";
import { Server as SocketServer } from "socket.io";
import { expect, it, vi } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { keepInEnvironment } from "./environment.ts";
import { openEventSource } from "./event-source.ts";
import { authClientOf } from "./google-auth.ts";
import { connectSocket } from "./socket-io.ts";
import { connectWebSocket } from "./web-socket.ts";
import { keepConnected } from "./web-socket-reconnect.ts";

async function listen(server: Server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A WebSocket server that accepts connections with one of the tokens and responds to others with a 401. It echoes. */
async function startWebSocketServer(...accepted: readonly string[]) {
  const received: (string | undefined)[] = [];
  const verifyClient = ({ req }: { req: { headers: { authorization?: string | undefined } } }) => {
    received.push(req.headers.authorization);
    return accepted.some((token) => req.headers.authorization === `Bearer ${token}`);
  };
  const server = createServer();
  const sockets = new WebSocketServer({ server, verifyClient });
  sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
  const { host, ...rest } = await listen(server);
  return { ...rest, url: `ws://${host}`, received };
}

it("ws: connects again with a newer token after a 401", async () => {
  await using session = await startSession();
  await using server = await startWebSocketServer(session.accessToken(2));
  const socket = await connectWebSocket(session.tokens, server.url);
  socket.send("hello");
  const [message] = await once(socket, "message");
  expect(String(message)).toBe("hello");
  expect(server.received).toEqual([1, 2].map((number) => `Bearer ${session.accessToken(number)}`));
  expect(session.exchanges).toBe(1);
  socket.terminate();
});

it("ws: ends a handshake that takes too long", async () => {
  await using session = await startSession();
  const server = createServer();
  const upgraded = once(server, "upgrade"); // and never responds
  await using listening = await listen(server);
  const controller = new AbortController();
  const connecting = connectWebSocket(session.tokens, `ws://${listening.host}`, controller.signal);
  const [, socket] = await upgraded;
  controller.abort();
  await expect(connecting).rejects.toMatchObject({ name: "AbortError" });
  await once(socket.resume(), "end");
  socket.destroy();
});

it("ws: stays connected with a valid token, until the session ends", async () => {
  await using session = await startSession();
  await using server = await startWebSocketServer(...[1, 2].map(session.accessToken));
  const controller = new AbortController();
  const opened: string[] = [];
  const use = async (socket: WebSocket) => {
    opened.push(String(server.received.at(-1)));
    if (opened.length === 2) await session.tokens.signOut();
    socket.close();
  };
  const options = { use, signal: controller.signal, delay: () => 0 };
  await expect(keepConnected(session.tokens, server.url, options)).rejects.toSatisfy(isAuthError);
  expect(opened).toEqual([1, 1].map((number) => `Bearer ${session.accessToken(number)}`));
});

it("ws: connects again after a failure of the network, and ends with its signal", async () => {
  await using session = await startSession();
  const controller = new AbortController();
  const failures: number[] = [];
  const delay = (failed: number) => {
    failures.push(failed);
    if (failed === 3) controller.abort();
    return 0;
  };
  const options = { use: () => {}, signal: controller.signal, delay };
  await expect(keepConnected(session.tokens, "ws://127.0.0.1:1", options)).rejects.toMatchObject({
    name: "AbortError",
  });
  expect(failures).toEqual([1, 2, 3]);
});

it("ws: passes on the second 401, and an abort", async () => {
  await using session = await startSession();
  await using server = await startWebSocketServer();
  await expect(connectWebSocket(session.tokens, server.url)).rejects.toThrow("401");
  expect(server.received).toHaveLength(2);
  await expect(connectWebSocket(session.tokens, server.url, AbortSignal.abort())).rejects.toMatchObject({
    name: "AbortError",
  });
  expect(server.received).toHaveLength(2);
});

async function startSocketServer(isAccepted: (token: unknown) => boolean) {
  const received: unknown[] = [];
  const server = createServer();
  const sockets = new SocketServer(server);
  sockets.use((socket, next) => {
    const { token } = socket.handshake.auth;
    received.push(token);
    next(isAccepted(token) ? undefined : new Error("unauthorized"));
  });
  const { host } = await listen(server);
  return { url: `http://${host}`, received, sockets, [Symbol.asyncDispose]: () => sockets.close() };
}

const tokensOf = ({ accessToken }: Session, ...numbers: readonly number[]) => numbers.map(accessToken);

it("socket.io-client: connects again with a newer token, also when it connects again by itself", async () => {
  await using session = await startSession();
  const accepted = new Set(tokensOf(session, 2));
  await using server = await startSocketServer((token) => accepted.has(String(token)));
  const socket = await connectSocket(session.tokens, server.url);
  expect(socket.connected).toBe(true);
  expect(server.received).toEqual(tokensOf(session, 1, 2));
  await session.tokens.refresh();
  accepted.add(session.accessToken(3));
  const again = once(socket as never, "connect");
  for (const { conn } of server.sockets.sockets.sockets.values()) conn.close(); // as if the network had failed
  await again;
  expect(server.received).toEqual(tokensOf(session, 1, 2, 3));
  expect(session.exchanges).toBe(2);
  socket.disconnect();
});

it("socket.io-client: passes on the second rejection", async () => {
  await using session = await startSession();
  await using server = await startSocketServer(() => false);
  await expect(connectSocket(session.tokens, server.url)).rejects.toThrow("unauthorized");
  expect(server.received).toEqual(tokensOf(session, 1, 2));
});

/** Returns the first event of a stream, or the code of its error, and closes the stream. */
const firstOf = (stream: EventSource) =>
  new Promise<unknown>((resolve) => {
    stream.addEventListener("message", ({ data }) => resolve(data));
    stream.addEventListener("error", ({ code }) => resolve(code));
  }).finally(() => stream.close());

it("eventsource: receives events with a newer token after a 401, and each later connection with a valid one", async () => {
  await using session = await startSession();
  await using server = await startResourceServer();
  const headers = { "content-type": "text/event-stream" };
  server.respond = (received) => {
    const reply = accepting(...tokensOf(session, 2, 3))(received);
    return reply.status === 200 ? { ...reply, headers, body: "retry: 1\ndata: hello\n\n" } : reply;
  };
  const stream = openEventSource(session.tokens, server.origin);
  let events = 0;
  await new Promise<void>((resolve) => {
    stream.addEventListener("message", async () => {
      if (++events === 1) await session.tokens.refresh();
      if (server.received.at(-1)?.authorization?.endsWith("3")) resolve();
    });
  });
  stream.close();
  const sent = server.received.map(({ authorization }) => authorization?.replace("Bearer ", ""));
  expect([...new Set(sent)]).toEqual(tokensOf(session, 1, 2, 3));
});

it("eventsource: ends with a 401 if the user has to sign in, and does not connect again", async () => {
  await using server = await startResourceServer();
  server.respond = () => UNAUTHORIZED;
  expect(await firstOf(openEventSource(staticToken(undefined), server.origin))).toBe(401);
  expect(await firstOf(openEventSource(staticToken("rejected"), server.origin))).toBe(401);
  expect(server.received.map(({ authorization }) => authorization)).toEqual([undefined, "Bearer rejected"]);
});

it("google-auth-library: sends a request again with a newer token after a 401", async () => {
  await using session = await startSession();
  await using server = await startResourceServer();
  server.respond = accepting(session.accessToken(2));
  const client = authClientOf(session.tokens);
  for (const path of ["a", "b"]) {
    const { data } = await client.request({ url: `${server.origin}/${path}` });
    expect(data).toEqual({ ok: true });
  }
  expect(server.received.map(({ authorization }) => authorization)).toEqual(
    tokensOf(session, 1, 2, 2).map((token) => `Bearer ${token}`),
  );
  expect(session.exchanges).toBe(1);
});

it("google-auth-library: passes on a 403, and the 401 of a token that cannot be replaced", async () => {
  await using session = await startSession();
  await session.tokens.refresh();
  await using server = await startResourceServer();
  server.respond = () => ({ status: 403 });
  const forbidden = authClientOf(session.tokens).request({ url: server.origin });
  await expect(forbidden).rejects.toMatchObject({ status: 403 });
  server.respond = () => UNAUTHORIZED;
  const error: unknown = await authClientOf(staticToken("fixed"))
    .request({ url: server.origin })
    .catch((thrown: unknown) => thrown);
  expect(isAuthError(error)).toBe(true);
});

it("process.env: gives a child process the current token, and none after a sign-out", async () => {
  await using session = await startSession();
  const name = "UNEXPIRED_EXAMPLE_TOKEN";
  const end = keepInEnvironment(session.tokens, name);
  const print = `process.stdout.write(String(process.env.${name}))`;
  const inChild = () => execFileSync(process.execPath, ["-e", print], { encoding: "utf8" });
  await vi.waitFor(() => expect(process.env[name]).toBeDefined());
  expect(inChild()).toBe(session.accessToken(1));
  await session.tokens.refresh();
  await vi.waitFor(() => expect(inChild()).toBe(session.accessToken(2)));
  await session.tokens.signOut();
  await vi.waitFor(() => expect(name in process.env).toBe(false));
  expect(inChild()).toBe("undefined");
  end();
});
