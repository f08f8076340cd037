import { type TokenSource, withToken } from "@unexpired/core";
import { io, type Socket } from "socket.io-client";

/** Connects to a Socket.IO server whose middleware rejects a token with `new Error("unauthorized")`. */
export const connectSocket = (tokens: TokenSource, url: string): Promise<Socket> =>
  withToken(
    tokens,
    async (accessToken) => {
      const socket = io(url, { auth: { token: accessToken }, forceNew: true });
      await new Promise<void>((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("connect_error", (error) => {
          socket.disconnect();
          reject(error);
        });
      });
      socket.off("connect_error");
      // for the times when it connects again by itself: a token that is valid then
      socket.auth = (send) => {
        tokens.getTokenSet().then(
          (tokenSet) => send({ token: tokenSet.accessToken }),
          () => send({}),
        );
      };
      return socket;
    },
    { isRejected: (error) => Object(error).message === "unauthorized" },
  );
