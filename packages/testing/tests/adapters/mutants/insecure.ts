import type { TokenSource } from "@unexpired/core";
import { createAuthorizer } from "@unexpired/core/adapter";
import type { ClientSetup } from "../../../src/index.ts";
import { type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const PLAIN = "rejects an origin with plain http beyond loopback with a TypeError, unless allowInsecure is set";
const POLLUTED = "takes no option from Object.prototype";
const HOST = "sends no token if the request's own Host header names another host";

/** Passes another value of the option to the authorizer. */
const allowing = (allowInsecure: (setup: ClientSetup) => boolean | undefined) =>
  class extends ReferenceClient {
    protected override authorizerFor(tokens: TokenSource) {
      const { origins } = this.setup;
      return createAuthorizer<Response>(tokens, { origins, allowInsecure: allowInsecure(this.setup) });
    }
  };

export const insecureMutants: readonly Mutant[] = [
  {
    name: "allows plain http everywhere",
    caughtBy: PLAIN,
    clause: "origins",
    says: "with a plain http origin beyond loopback, but nothing was thrown instead of a TypeError.",
    Client: allowing(() => true),
  },
  {
    name: "has no option allowInsecure",
    caughtBy: PLAIN,
    clause: "origins",
    says: "Attaching the adapter with a plain http origin and allowInsecure failed: origins[0]: plain http",
    Client: allowing(() => undefined),
  },
  {
    name: "throws another error for plain http",
    caughtBy: PLAIN,
    clause: "origins",
    says: "but Error: Use https was thrown instead of a TypeError.",
    Client: class extends ReferenceClient {
      protected override authorizerFor(tokens: TokenSource) {
        if (this.setup.baseURL.startsWith("http://api.")) throw new Error("Use https");
        return super.authorizerFor(tokens);
      }
    },
  },
  {
    name: "reads an option that was not passed",
    caughtBy: POLLUTED,
    clause: "origins",
    says: "Object.prototype had allowInsecure, and the origin was plain http, but nothing was thrown",
    Client: allowing(({ tokens: _, ...rest }) => {
      const passed: Partial<ClientSetup> = rest.allowInsecure === undefined ? {} : rest;
      return passed.allowInsecure;
    }),
  },
  {
    name: "ignores the request's own Host header",
    caughtBy: HOST,
    clause: "origins",
    says: "A request with a Host header that names another host carried the token.",
    Client: class extends ReferenceClient {
      protected override authorize(request: PreparedRequest) {
        const headers = new Headers(request.headers);
        headers.delete("host");
        return super.authorize({ ...request, headers });
      }
    },
  },
  {
    name: "sends no token with any Host header",
    caughtBy: HOST,
    clause: "origins",
    says: "were [none] instead of [Bearer canary-access-1].",
    Client: class extends ReferenceClient {
      protected override async authorize(request: PreparedRequest) {
        return request.headers.has("host") ? undefined : super.authorize(request);
      }
    },
  },
];
