/**
 * A client for the conformance suite: `client.ts <line of the SDK> <mode> <URL of the server>`. It signs in, lists the tools and
 * calls one. The suite's authorization servers show no page.
 */

import { type McpAuth, type McpSignInContext, mcpAuth } from "@unexpired/adapter-mcp";
import { memoryStore } from "@unexpired/core";
import { authorizationCodeFlow } from "@unexpired/core/flows";
import type { Connection, Sdk } from "@unexpired-internal/mcp-support/sdk";

const [line, mode, serverUrl = ""] = process.argv.slice(2);
const { client_id: clientId, client_secret: clientSecret } = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? "{}");
const { sdk }: { readonly sdk: Sdk } = await import(`@unexpired-internal/mcp-support/sdk-${line}`);

/** As a browser does. */
async function follow(url: string | URL): Promise<URL> {
  const response = await fetch(url, { redirect: "manual" });
  return new URL(response.headers.get("location") ?? "", url);
}

async function signIn({ signal, ...options }: McpSignInContext) {
  const { url, finish } = await authorizationCodeFlow({ ...options }).start({ signal });
  return finish(await follow(url), { signal });
}

let callback: Promise<URL> | undefined;
const onRedirect = (url: URL) => {
  callback = follow(url);
};

await using auth: McpAuth = mcpAuth({
  serverUrl,
  store: memoryStore(),
  clientMetadata: { client_name: "conformance", redirect_uris: ["http://127.0.0.1:14711/callback"] },
  clientMetadataUrl: "https://conformance-test.local/client-metadata.json",
  ...(clientId && { client: { clientId, clientSecret } }),
  ...(mode === "signIn" ? { signIn } : { onRedirect }),
});

/** The suite wants no more than three sign-ins for one request. */
const MAX_SIGN_INS = 3;

/** Does something, and completes the sign-ins that the SDK begins. */
async function run(connection: Connection, act: () => Promise<unknown>): Promise<void> {
  for (let count = 0; ; count += 1) {
    try {
      await act();
      return;
    } catch (error) {
      if (!(sdk.isUnauthorized(error) && callback) || count === MAX_SIGN_INS) throw error;
      const { searchParams } = await callback;
      callback = undefined;
      await connection.finishAuth(searchParams);
    }
  }
}

/** A connection that was refused cannot be connected again. */
async function connect(): Promise<Connection> {
  let connection = sdk.open(serverUrl, auth);
  await run(connection, async () => {
    connection = sdk.open(serverUrl, auth);
    await connection.connect();
  });
  return connection;
}

await using connection = await connect();
await run(connection, () => connection.listTools());
await run(connection, () => connection.call("test-tool"));
