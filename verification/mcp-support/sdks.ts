/** Both lines of the SDK, with one interface. */
import {
  Client as Client2,
  type OAuthClientProvider as Provider2,
  StreamableHTTPClientTransport as Transport2,
  UnauthorizedError as Unauthorized2,
} from "@modelcontextprotocol/client";
import {
  type OAuthClientProvider as Provider1,
  UnauthorizedError as Unauthorized1,
} from "@modelcontextprotocol/sdk/client/auth.js";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as Transport1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

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

const INFO = { name: "test", version: "1.0.0" };

export const sdks: readonly Sdk[] = [
  {
    name: "sdk 1.x",
    open(url, options) {
      const transport = new Transport1(new URL(url), options);
      const client = new Client1(INFO);
      return {
        connect: () => client.connect(transport as Parameters<Client1["connect"]>[0]),
        listTools: () => client.listTools(),
        call: async (name) => (await client.callTool({ name })).content,
        finishAuth: (parameters) => transport.finishAuth(parameters.get("code") ?? ""),
        [Symbol.asyncDispose]: () => client.close(),
      };
    },
    isUnauthorized: (error) => error instanceof Unauthorized1,
  },
  {
    name: "client 2.x",
    open(url, options) {
      const transport = new Transport2(new URL(url), options);
      const client = new Client2(INFO);
      return {
        connect: () => client.connect(transport),
        listTools: () => client.listTools(),
        call: async (name) => (await client.callTool({ name })).content,
        finishAuth: (parameters) => transport.finishAuth(parameters),
        [Symbol.asyncDispose]: () => client.close(),
      };
    },
    isUnauthorized: (error) => error instanceof Unauthorized2,
  },
];
