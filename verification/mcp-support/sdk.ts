/** One line of the SDK, behind an interface that both have. */
import type { OAuthClientProvider as Provider2 } from "@modelcontextprotocol/client";
import type { OAuthClientProvider as Provider1 } from "@modelcontextprotocol/sdk/client/auth.js";

/** The options of a transport, for both lines. */
export interface TransportOptions {
  readonly authProvider: Provider1 & Provider2;
  readonly fetch?: (url: string | URL, init?: RequestInit) => Promise<Response>;
}

/** A client with its transport. */
export interface Connection extends AsyncDisposable {
  connect(): Promise<void>;
  listTools(): Promise<unknown>;
  /** Calls a tool, and returns the content of its result. */
  call(tool: string): Promise<unknown>;
  /** Takes the parameters with which the server sent the user back. */
  finishAuth(parameters: URLSearchParams): Promise<void>;
}

export interface Sdk {
  readonly name: "sdk 1.x" | "client 2.x";
  open(url: string, options: TransportOptions): Connection;
  isUnauthorized(error: unknown): boolean;
}

export const INFO = { name: "test", version: "1.0.0" };
