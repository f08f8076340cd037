import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TransportOptions } from "@unexpired-internal/mcp-support/sdk";

type Provider = TransportOptions["authProvider"];
type Stored<Name extends "clientInformation" | "tokens" | "discoveryState"> = NonNullable<
  Awaited<ReturnType<NonNullable<Provider[Name]>>>
>;

/** Keeps everything in files, as most MCP clients do with the provider interface of the SDK. */
export function fileProvider(folder: string, onRedirect: (url: URL) => void): Provider {
  const fileOf = (name: string) => join(folder, `${name}.json`);
  const remove = (name: string) => rmSync(fileOf(name), { force: true });
  const read = <T>(name: string) =>
    existsSync(fileOf(name)) ? (JSON.parse(readFileSync(fileOf(name), "utf8")) as T) : undefined;
  const write = (name: string, value: unknown) => {
    writeFileSync(`${fileOf(name)}.${process.pid}`, JSON.stringify(value));
    renameSync(`${fileOf(name)}.${process.pid}`, fileOf(name));
  };
  let verifier = "";
  return {
    redirectUrl: "http://127.0.0.1:14711/callback",
    clientMetadata: {
      client_name: "Example",
      redirect_uris: ["http://127.0.0.1:14711/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      token_endpoint_auth_method: "none",
      ...{ application_type: "native" },
    },
    clientInformation: () => read<Stored<"clientInformation">>("client"),
    saveClientInformation: (information) => write("client", information),
    tokens: () => read<Stored<"tokens">>("tokens"),
    saveTokens: (tokens) => write("tokens", tokens),
    redirectToAuthorization: onRedirect,
    saveCodeVerifier: (given) => {
      verifier = given;
    },
    codeVerifier: () => verifier,
    saveDiscoveryState: (state) => write("discovery", state),
    discoveryState: () => read<Stored<"discoveryState">>("discovery"),
    invalidateCredentials: (scope) => {
      const names = { all: ["client", "tokens", "discovery"] }[scope as string] ?? [scope];
      for (const name of names) remove(name);
    },
  };
}
