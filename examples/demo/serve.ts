/** Starts the servers of the demo, for programs of your own, until they are ended with Ctrl-C. */
import { once } from "node:events";
import { startApi } from "./api.ts";
import { startAuthorizationServer } from "./authorization-server.ts";

const server = await startAuthorizationServer({ accessTokenSeconds: 60, signIn: true });
const api = await startApi(server.verify);
console.log(`export ISSUER=${server.issuer} API=${api.origin} # the client is ${server.clientId}; end with Ctrl-C`);
await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
await Promise.all([server.close(), api.close()]);
