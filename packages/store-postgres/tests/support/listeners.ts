import type { Listen } from "@unexpired/store-postgres";
import type { ConnectionOptions } from "@unexpired-internal/engines/postgres";
import { Client } from "pg";
import postgres from "postgres";
import type { Driver } from "./drivers.ts";

/** The functions of the README that listen. */
export const listeners: Readonly<Record<Driver, (connection: ConnectionOptions) => Listen>> = {
  pg:
    (connection) =>
    (channel, { onMessage, onReady, onClose }) => {
      const client = new Client({ ...connection, keepAlive: true });
      client.on("notification", ({ payload = "" }) => onMessage(payload));
      client.on("error", onClose).on("end", onClose);
      client
        .connect()
        .then(() => client.query(`listen ${channel}`))
        .then(onReady, onClose);
      return () => client.end();
    },
  postgres:
    (connection) =>
    (channel, { onMessage, onReady, onClose }) => {
      const sql = postgres({ ...connection, max: 1 });
      const listening = sql.listen(channel, onMessage, onReady);
      listening.catch(onClose);
      return () => listening.finally(() => sql.end());
    },
};
