import { memoryStore } from "@unexpired/core";
import { authorizationCodeFlow } from "@unexpired/core/flows";
import { signInAs } from "@unexpired-internal/mcp-support/browser";
import { startMcpServer } from "@unexpired-internal/mcp-support/mcp-server";
import { sdks } from "@unexpired-internal/mcp-support/sdks";
import { describe, expect, it } from "vitest";
import { type McpSignInContext, mcpAuth } from "../src/index.ts";

const clientMetadata = { client_name: "test", redirect_uris: ["http://127.0.0.1/callback"] };

async function signIn({ signal, ...context }: McpSignInContext) {
  const { url, finish } = await authorizationCodeFlow({ ...context }).start({ signal });
  return finish(await signInAs("ada", url), { signal });
}

describe.each(sdks)("with $name", (sdk) => {
  it("signs in within fetch", async () => {
    await using server = await startMcpServer({ accessTokenSeconds: 2 });
    const store = memoryStore();
    await using auth = mcpAuth({ serverUrl: server.url, store, clientMetadata, signIn });
    await using connection = sdk.open(server.url, auth);
    await connection.connect();
    expect(await connection.call("echo")).toEqual([{ type: "text", text: "done" }]);
    await new Promise((r) => setTimeout(r, 3500));
    expect(await connection.call("echo")).toEqual([{ type: "text", text: "done" }]);
    console.log(server.authorization.counts, server.authorization.resources, server.requests);
  });

  it("hands over", async () => {
    await using server = await startMcpServer({ accessTokenSeconds: 2 });
    const store = memoryStore();
    let at: Promise<URL> | undefined;
    await using auth = mcpAuth({
      serverUrl: server.url,
      store,
      clientMetadata,
      onRedirect: (url) => {
        at = signInAs("ada", url);
      },
    });
    await using first = sdk.open(server.url, auth);
    await expect(first.connect()).rejects.toSatisfy(sdk.isUnauthorized);
    await first.finishAuth((await at)?.searchParams ?? new URLSearchParams());
    await using connection = sdk.open(server.url, auth);
    await connection.connect();
    expect(await connection.call("echo")).toEqual([{ type: "text", text: "done" }]);
    await new Promise((r) => setTimeout(r, 3500));
    expect(await connection.call("echo")).toEqual([{ type: "text", text: "done" }]);
    console.log(
      server.authorization.counts,
      server.authorization.resources,
      server.requests.map((r) => [r.status, r.token?.slice(0, 4)].join()),
    );
  });
});
