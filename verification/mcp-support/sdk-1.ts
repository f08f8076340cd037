import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { INFO, type Sdk } from "./sdk.ts";

export const sdk: Sdk = {
  name: "sdk 1.x",
  open(url, options) {
    const transport = new StreamableHTTPClientTransport(new URL(url), options);
    const client = new Client(INFO);
    return {
      connect: () => client.connect(transport as Parameters<Client["connect"]>[0]),
      listTools: () => client.listTools(),
      call: async (name) => (await client.callTool({ name })).content,
      finishAuth: (parameters) => transport.finishAuth(parameters.get("code") ?? ""),
      [Symbol.asyncDispose]: () => client.close(),
    };
  },
  isUnauthorized: (error) => error instanceof UnauthorizedError,
};
