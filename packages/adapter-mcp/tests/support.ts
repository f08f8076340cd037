import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { authorizationCodeFlow } from "@unexpired/core/flows";
import { fileStore } from "@unexpired/store-node";
import { signInAs } from "@unexpired-internal/mcp-support/browser";
import { type McpServerOptions, startMcpServer } from "@unexpired-internal/mcp-support/mcp-server";
import type { Connection, Sdk } from "@unexpired-internal/mcp-support/sdk";
import { onTestFinished } from "vitest";
import { type McpAuth, type McpAuthOptions, type McpSignInContext, mcpAuth } from "../src/index.ts";

export const clientMetadata = { client_name: "test", redirect_uris: ["http://127.0.0.1:14711/callback"] };

/** Signs in as a program with a browser does. */
export async function signIn({ signal, ...options }: McpSignInContext) {
  const { url, finish } = await authorizationCodeFlow({ ...options }).start({ signal });
  return finish(await signInAs("ada", url), { signal });
}

/** Starts an MCP server that is stopped at the end of the test. */
export async function startServer(options?: McpServerOptions) {
  const server = await startMcpServer(options);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

/** Creates a file for a session, in a folder that is removed at the end of the test. */
export function sessionFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "unexpired-mcp-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "session.json");
}

/** The parts of one process. */
export interface Program {
  readonly auth: McpAuth;
  /** Opens a new connection. */
  open(sdk: Sdk): Connection;
}

/** Starts a process, with a store of its own over the same file. */
export function startProgram(
  serverUrl: string,
  file: string,
  options: Omit<McpAuthOptions, "serverUrl" | "store"> & Partial<Pick<McpAuthOptions, "store">>,
): Program {
  const auth = mcpAuth({ serverUrl, store: fileStore({ path: file }), clientMetadata, ...options });
  onTestFinished(() => auth.close());
  return {
    auth,
    open(sdk) {
      const connection = sdk.open(serverUrl, auth);
      onTestFinished(async () => void (await connection[Symbol.asyncDispose]()));
      return connection;
    },
  };
}

export const DONE = [{ type: "text", text: "done" }];
