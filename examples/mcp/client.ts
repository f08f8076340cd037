/**
 * One process of an MCP client: `client.ts <line of the SDK> <provider> <URL of the server> <folder> <seconds>`. It calls a tool again and
 * again, and prints how often that worked.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { mcpAuth } from "@unexpired/adapter-mcp";
import { authorizationCodeFlow } from "@unexpired/core/flows";
import { fileStore } from "@unexpired/store-node";
import { signInAs } from "@unexpired-internal/mcp-support/browser";
import type { Connection, Sdk, TransportOptions } from "@unexpired-internal/mcp-support/sdk";
import { fileProvider } from "./file-provider.ts";

const [line, provider, serverUrl = "", folder = "", seconds] = process.argv.slice(2);

/** Where the browser went after a sign-in that the SDK began. A script fills in the forms. */
let callback: Promise<URL> | undefined;

/** The usual way: the SDK signs in, and its provider keeps the tokens in files. */
const withFiles = (): TransportOptions => ({
  authProvider: fileProvider(folder, (url) => {
    callback = signInAs("ada", url);
    callback.catch(() => {});
  }),
});

/** The same with Unexpired. */
const withUnexpired = () =>
  mcpAuth({
    serverUrl,
    store: fileStore({ path: join(folder, "session.json") }),
    clientMetadata: { client_name: "Example", redirect_uris: ["http://127.0.0.1:14711/callback"] },
    signIn: async ({ signal, ...options }) => {
      const { url, finish } = await authorizationCodeFlow({ ...options }).start({ signal });
      return finish(await signInAs("ada", url), { signal });
    },
  });

/** Connects. If the SDK began a sign-in, completes that first. */
async function connect(sdk: Sdk, options: TransportOptions): Promise<Connection> {
  const connection = sdk.open(serverUrl, options);
  try {
    await connection.connect();
    return connection;
  } catch (error) {
    if (callback !== undefined) {
      const { searchParams } = await callback;
      callback = undefined;
      await connection.finishAuth(searchParams);
    }
    throw error;
  }
}

const { sdk }: { readonly sdk: Sdk } = await import(`@unexpired-internal/mcp-support/sdk-${line}`);
const auth = provider === "files" ? undefined : withUnexpired();
const options = auth ?? withFiles();

const result = { calls: 0, failures: 0, reasons: {} as Record<string, number> };
let connection: Connection | undefined;
const end = performance.now() + Number(seconds) * 1000;
while (performance.now() < end) {
  try {
    connection ??= await connect(sdk, options);
    await connection.call("echo");
    result.calls += 1;
  } catch (error) {
    // the SDK reports a sign-in that has begun as an error: that is no failure
    const hasBegun = connection === undefined && sdk.isUnauthorized(error);
    if (!hasBegun) {
      result.failures += 1;
      const reason = String(error).slice(0, 100);
      result.reasons[reason] = (result.reasons[reason] ?? 0) + 1;
    }
    connection = undefined;
  }
  await sleep(200);
}
await connection?.[Symbol.asyncDispose]();
await auth?.close();
console.log(JSON.stringify(result));
process.exit(); // the usual provider may still wait for a page
