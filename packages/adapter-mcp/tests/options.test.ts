import { memoryStore } from "@unexpired/core";
import { expect, it } from "vitest";
import { type McpAuthOptions, mcpAuth } from "../src/index.ts";

const valid = { serverUrl: "https://mcp.example/mcp", store: memoryStore() };
const clientMetadata = { redirect_uris: ["http://127.0.0.1/callback"] };
const signIn = async () => ({ accessToken: "a" });

it.each<[string, object, RegExp]>([
  ["an unknown option", { scopes: [] }, /unknown option "scopes"\. Supported: serverUrl, store/],
  ["a server URL that is relative", { serverUrl: "/mcp" }, /serverUrl: expected an absolute https URL/],
  [
    "a server URL with a password",
    { serverUrl: "https://a:b@mcp.example" },
    /serverUrl: expected .* without user information/,
  ],
  [
    "plain http beyond this machine",
    { serverUrl: "http://mcp.example/mcp" },
    /serverUrl: expected https, because mcp\.example is not this machine/,
  ],
  ["a sign-in that is no function", { signIn: "browser" }, /signIn: expected a function/],
  [
    "both ways to sign in",
    { signIn, onRedirect: () => {}, clientMetadata },
    /signIn, onRedirect: expected one of them/,
  ],
  ["a sign-in without a client", { signIn }, /clientMetadata: expected the metadata of the client/],
  [
    "the SDK's sign-in without redirect URIs",
    { onRedirect: () => {}, client: { clientId: "a" } },
    /with redirect_uris/,
  ],
  ["metadata without a redirect URI", { clientMetadata: { redirect_uris: [] } }, /at least one absolute URL/],
  [
    "a document without a path",
    { clientMetadataUrl: "https://client.example" },
    /clientMetadataUrl: expected an https URL with a path/,
  ],
  ["an empty client ID", { client: { clientId: "" } }, /client\.clientId: expected a non-empty string/],
  ["no store", { store: undefined }, /store: expected a TokenStore/],
])("rejects %s", (_, options, message) => {
  expect(() => mcpAuth({ ...valid, ...options } as McpAuthOptions)).toThrow(message);
});

it("registers a program on the user's machine as a native app", () => {
  const typeOf = (...redirect_uris: string[]) =>
    mcpAuth({ ...valid, clientMetadata: { redirect_uris } }).authProvider.clientMetadata.application_type;
  expect(typeOf("http://127.0.0.1/callback", "http://localhost:8080/", "http://[::1]/")).toBe("native");
  expect(typeOf("com.example.app:/callback")).toBe("native");
  expect(typeOf("https://app.example/callback")).toBe("web");
  expect(typeOf("http://127.0.0.1.example/callback")).toBe("web");
});
