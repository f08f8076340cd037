import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { isAuthError, type TokenManager, withToken } from "@unexpired/core";
import { WebSocket } from "ws";

interface KeepConnectedOptions {
  /** Called with each connection. */
  readonly use: (socket: WebSocket) => unknown;
  readonly signal: AbortSignal;
  /** Returns the pause in milliseconds after so many failures in a row. */
  readonly delay?: (failures: number) => number;
}

/** Keeps a WebSocket connected, also if `use` fails. Rejects if the user has to sign in, or the signal aborts. */
export async function keepConnected(tokens: TokenManager, url: string, options: KeepConnectedOptions): Promise<never> {
  const { use, signal, delay = (failed: number) => Math.min(1_000 * 2 ** failed, 60_000) } = options;
  for (let failures = 0; ; ) {
    try {
      await tokens.getAccessToken({ signal, minValidity: 60_000 }); // renews a token that would expire at once
      const socket = await connect(tokens, url, signal);
      failures = 0;
      const closed = once(socket, "close");
      const stop = () => socket.terminate();
      signal.addEventListener("abort", stop, { once: true });
      try {
        await use(socket);
        await closed;
      } finally {
        signal.removeEventListener("abort", stop);
        stop();
      }
    } catch (error) {
      if (signal.aborted || isAuthError(error)) throw error;
      failures++;
    }
    await pause(delay(failures), undefined, { signal });
  }
}

/** If the server responds with a 401, connects again with a newer token. */
const connect = (tokens: TokenManager, url: string, signal: AbortSignal): Promise<WebSocket> =>
  withToken(
    tokens,
    async (accessToken) => {
      const socket = new WebSocket(url, { headers: { authorization: `Bearer ${accessToken}` } });
      socket.on("error", () => {}); // "close" follows
      try {
        await once(socket, "open", { signal });
      } catch (error) {
        socket.terminate();
        throw error;
      }
      return socket;
    },
    { signal, isRejected: (error) => /: 401$/.test(Object(error).message) },
  );
