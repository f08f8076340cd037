import { once } from "node:events";
import { type TokenSource, withToken } from "@unexpired/core";
import { WebSocket } from "ws";

/**
 * Connects a WebSocket. If the server responds to the handshake with a 401, it connects again with a newer token. If the
 * server sends the first message, add your listener before `open`, in the function.
 */
export const connectWebSocket = (tokens: TokenSource, url: string, signal?: AbortSignal): Promise<WebSocket> =>
  withToken(
    tokens,
    async (accessToken) => {
      const socket = new WebSocket(url, { headers: { authorization: `Bearer ${accessToken}` } });
      try {
        await once(socket, "open", { signal });
      } catch (error) {
        socket.on("error", () => {}).terminate(); // after an abort, it is still connecting
        throw error;
      }
      return socket;
    },
    { signal, isRejected: (error) => /: 401$/.test(Object(error).message) },
  );
