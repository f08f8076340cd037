import type { Call } from "../../../src/index.ts";
import { type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const caseOf = (read: NonNullable<Call["read"]>) => `returns the response to the retry, read as ${read}`;
const REFUSAL = "returns the body of the second 401";

interface Replacement {
  readonly read: Call["read"];
  readonly status: number;
  change(text: string, first: string): string;
}

/** Replaces the body of the retry's response, for one way to read it and one status. */
const replacing = ({ read, status, change }: Replacement) =>
  class extends ReferenceClient {
    #first = "";

    protected override async discard(response: Response) {
      this.#first = await response.text();
    }

    protected override async retry(request: PreparedRequest, header: string) {
      const response = await super.retry(request, header);
      if (request.call.read !== read || response.status !== status) return response;
      return new Response(change(await response.text(), this.#first), response);
    }
  };

export const responseMutants: readonly Mutant[] = [
  {
    name: "returns the body of the first response with the status of the second",
    caughtBy: caseOf("text"),
    clause: "transparency",
    says: "The body of a retried request, read as text, differs from what the server sent.",
    Client: replacing({ read: "text", status: 200, change: (_, first) => first }),
  },
  {
    name: "cuts the second response at 64 kB",
    caughtBy: caseOf("text"),
    clause: "transparency",
    says: "The body of a retried request, read as text, differs from what the server sent.",
    Client: replacing({ read: "text", status: 200, change: (text) => text.slice(0, 64 * 1024) }),
  },
  {
    name: "returns the second response with unparsed JSON",
    caughtBy: caseOf("json"),
    clause: "transparency",
    says: "The body of a retried request, read as json, differs from what the server sent.",
    Client: replacing({ read: "json", status: 200, change: (text) => JSON.stringify(text) }),
  },
  {
    name: "returns text if bytes are requested",
    caughtBy: caseOf("bytes"),
    clause: "transparency",
    says: "The body of a retried request, read as bytes, differs from what the server sent.",
    Client: class extends ReferenceClient {
      protected override read(call: Call, response: Response) {
        return super.read({ ...call, read: call.read === "bytes" ? "text" : call.read }, response);
      }
    },
  },
  {
    name: "returns a stream that it has consumed",
    caughtBy: caseOf("stream"),
    clause: "transparency",
    says: "Reading the retry's stream failed: ",
    Client: class extends ReferenceClient {
      protected override async retry(request: PreparedRequest, header: string) {
        const response = await super.retry(request, header);
        if (request.call.read === "stream") await response.text();
        return response;
      }
    },
  },
  {
    name: "returns a stream without its first part",
    caughtBy: caseOf("stream"),
    clause: "transparency",
    says: "The streamed body of a retried request differs from what the server sent.",
    Client: class extends ReferenceClient {
      protected override async retry(request: PreparedRequest, header: string) {
        const response = await super.retry(request, header);
        const reader = request.call.read === "stream" ? response.body?.getReader() : undefined;
        await reader?.read();
        reader?.releaseLock();
        return response;
      }
    },
  },
  {
    name: "returns the second 401 with the body of the first",
    caughtBy: REFUSAL,
    clause: "transparency",
    says: "The body of the 401 that the caller got differs from what the server sent.",
    Client: replacing({ read: "json", status: 401, change: (_, first) => first }),
  },
  {
    name: "empties the second 401",
    caughtBy: REFUSAL,
    clause: "transparency",
    says: "The body of the 401 that the caller got differs from what the server sent.",
    Client: replacing({ read: "json", status: 401, change: () => "null" }),
  },
];
