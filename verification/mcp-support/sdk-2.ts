import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { INFO, type Sdk } from "./sdk.ts";

export const sdk: Sdk = {
  name: "client 2.x",
  open(url, options) {
    const transport = new StreamableHTTPClientTransport(new URL(url), options);
    const client = new Client(INFO);
    return {
      connect: () => client.connect(transport),
      listTools: () => client.listTools(),
      call: async (name) => (await client.callTool({ name })).content,
      finishAuth: (parameters) => transport.finishAuth(parameters),
      [Symbol.asyncDispose]: () => client.close(),
    };
  },
  isUnauthorized: (error) => error instanceof UnauthorizedError,
};
