import { createAuthorizer } from "@unexpired/core/adapter";
import type { ClientSetup } from "../../../src/index.ts";
import { type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import { ManagedClient, type Mutant } from "./mutant.ts";

const ABSOLUTE = "sends no token to an absolute URL of another origin, and does not retry its 401";
const PORT = "sends no token to another port of the same host";
const PREDICATE = "passes the complete URL to a predicate";

/** Compares URLs with the origins in a faulty way. */
const comparing = (isAllowed: (url: URL, origin: URL) => boolean) =>
  class extends ReferenceClient {
    protected override authorizerFor(tokens: NonNullable<ClientSetup["tokens"]>) {
      const { origins } = this.setup;
      if (typeof origins === "function") return super.authorizerFor(tokens);
      const isOneOf = (url: URL) => origins.some((origin) => isAllowed(url, new URL(origin)));
      return createAuthorizer(tokens, { origins: isOneOf });
    }
  };

/** Checks a URL other than the one that is requested, unless `urlOf` returns `undefined`. */
const judgingBy = (urlOf: (request: PreparedRequest, origin: string) => URL | undefined) =>
  class extends ReferenceClient {
    protected override authorize(request: PreparedRequest) {
      const url = urlOf(request, this.defaults.baseURL);
      return super.authorize(url ? { ...request, url, headers: new Headers(request.call.headers) } : request);
    }
  };

const compared: readonly Mutant[] = [
  {
    name: "sends the token everywhere",
    caughtBy: ABSOLUTE,
    clause: "origins",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [none].",
    Client: comparing(() => true),
  },
  {
    name: "refreshes the token after a 401 from another origin",
    caughtBy: ABSOLUTE,
    clause: "origins",
    says: "The number of exchanges was 1 instead of 0.",
    Client: class extends ManagedClient {
      protected override async sendWithRetries(request: PreparedRequest) {
        const response = await super.sendWithRetries(request);
        const isPlain = this.authorizer && !request.headers.has("authorization") && !request.call.settings;
        if (isPlain && response.status === 401) await this.refresh();
        return response;
      }
    },
  },
  {
    name: "compares only hosts, and treats http as https",
    caughtBy: "sends no token over http if the origin is https",
    clause: "origins",
    says: "were [Bearer canary-access-1] instead of [none].",
    Client: comparing((url, origin) => url.host === origin.host),
  },
  {
    name: "compares only the ends of host names, without ports",
    caughtBy: PORT,
    clause: "origins",
    says: "were [Bearer canary-access-1, Bearer canary-access-1] instead of [none, none].",
    Client: comparing((url, { hostname, protocol }) => url.protocol === protocol && url.hostname.endsWith(hostname)),
  },
  {
    name: "treats an origin without a port as matching every port",
    caughtBy: PORT,
    clause: "origins",
    says: "were [none, Bearer canary-access-1] instead of [none, none].",
    Client: comparing((url, { origin }) => url.href.startsWith(origin)),
  },
];

const judged: readonly Mutant[] = [
  {
    name: "checks the instance's base URL although the request overrides it",
    caughtBy: "sends no token to a base URL that is set for one request",
    clause: "origins",
    says: "were [Bearer canary-access-1] instead of [none].",
    Client: judgingBy(({ call }, baseURL) => (call.baseURL ? new URL(call.url, baseURL) : undefined)),
  },
  {
    name: "checks only how the unparsed URL begins",
    caughtBy: "ignores user information in a URL when it checks the origin",
    clause: "origins",
    says: "A request to a URL with user information carried the token.",
    Client: judgingBy(({ call }, baseURL) => (call.url.startsWith(baseURL) ? new URL(baseURL) : undefined)),
  },
  {
    name: "attaches the token although the URL has a user name",
    caughtBy: "leaves a request with a user name in its URL alone",
    clause: "own",
    says: "A request with a user name in its URL carried the token.",
    Client: judgingBy(({ url, call }) => (call.url.includes("@") ? url : undefined)),
  },
  {
    name: "treats a protocol-relative URL as a path",
    caughtBy: "sends no token to a protocol-relative URL of another origin",
    clause: "origins",
    says: "A request to a protocol-relative URL carried the token.",
    Client: judgingBy(({ call }, baseURL) => (call.url.startsWith("//") ? new URL(baseURL) : undefined)),
  },
  {
    name: "passes only the origin to the predicate",
    caughtBy: PREDICATE,
    clause: "origins",
    says: "were [none, none, none] instead of [Bearer canary-access-1, none, none].",
    Client: judgingBy(({ url }) => new URL(url.origin)),
  },
  {
    name: "calls the predicate before the query is added to the URL",
    caughtBy: PREDICATE,
    clause: "origins",
    says: "were [Bearer canary-access-1, Bearer canary-access-1, none] instead of [Bearer canary-access-1, none, none].",
    Client: judgingBy(({ url }) => new URL(url.pathname, url)),
  },
];

export const originMutants: readonly Mutant[] = [...compared, ...judged];
