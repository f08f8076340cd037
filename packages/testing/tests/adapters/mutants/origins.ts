import { createAuthorizer } from "@unexpired/core/adapter";
import type { ClientSetup } from "../../../src/index.ts";
import { type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import { ManagedClient, type Mutant } from "./mutant.ts";

const ABSOLUTE = "sends no token to an absolute URL of another origin, and does not retry its 401";
const PORT = "sends no token to another port of the same host";
const PREDICATE = "passes the complete URL to a predicate";

/** Compares with the origins in its own way. */
const comparing = (isAllowed: (url: URL, origin: URL) => boolean) =>
  class extends ReferenceClient {
    protected override authorizerFor(tokens: NonNullable<ClientSetup["tokens"]>) {
      const { origins } = this.setup;
      if (typeof origins === "function") return super.authorizerFor(tokens);
      const isOneOf = (url: URL) => origins.some((origin) => isAllowed(url, new URL(origin)));
      return createAuthorizer(tokens, { origins: isOneOf });
    }
  };

/** Decides by another URL than the one that the request goes to; `undefined`: by that one. */
const judging = (judged: (sending: PreparedRequest, origin: string) => URL | undefined) =>
  class extends ReferenceClient {
    protected override authorize(sending: PreparedRequest) {
      const url = judged(sending, this.defaults.baseURL);
      return super.authorize(url ? { ...sending, url, headers: new Headers(sending.call.headers) } : sending);
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
    name: "renews at the 401 of another origin",
    caughtBy: ABSOLUTE,
    clause: "origins",
    says: "The number of exchanges was 1 instead of 0.",
    Client: class extends ManagedClient {
      protected override async sendWithRetries(sending: PreparedRequest) {
        const response = await super.sendWithRetries(sending);
        const isPlain = this.authorizer && !sending.headers.has("authorization") && !sending.call.settings;
        if (isPlain && response.status === 401) await this.refresh();
        return response;
      }
    },
  },
  {
    name: "compares hosts, and takes http for https",
    caughtBy: "sends no token over http if the origin is https",
    clause: "origins",
    says: "were [Bearer canary-access-1] instead of [none].",
    Client: comparing((url, origin) => url.host === origin.host),
  },
  {
    name: "compares the ends of host names, without their ports",
    caughtBy: PORT,
    clause: "origins",
    says: "were [Bearer canary-access-1, Bearer canary-access-1] instead of [none, none].",
    Client: comparing((url, { hostname, protocol }) => url.protocol === protocol && url.hostname.endsWith(hostname)),
  },
  {
    name: "takes an origin without a port for one with every port",
    caughtBy: PORT,
    clause: "origins",
    says: "were [none, Bearer canary-access-1] instead of [none, none].",
    Client: comparing((url, { origin }) => url.href.startsWith(origin)),
  },
];

const judged: readonly Mutant[] = [
  {
    name: "decides by the instance's base URL, which a request replaces",
    caughtBy: "sends no token to a base URL that is set for one request",
    clause: "origins",
    says: "were [Bearer canary-access-1] instead of [none].",
    Client: judging(({ call }, baseURL) => (call.baseURL ? new URL(call.url, baseURL) : undefined)),
  },
  {
    name: "decides by how the URL begins, as it was written",
    caughtBy: "ignores user information in a URL when it checks the origin",
    clause: "origins",
    says: "A request to a URL with user information carried the token.",
    Client: judging(({ call }, baseURL) => (call.url.startsWith(baseURL) ? new URL(baseURL) : undefined)),
  },
  {
    name: "takes a protocol-relative URL for a path",
    caughtBy: "sends no token to a protocol-relative URL of another origin",
    clause: "origins",
    says: "A request to a protocol-relative URL carried the token.",
    Client: judging(({ call }, baseURL) => (call.url.startsWith("//") ? new URL(baseURL) : undefined)),
  },
  {
    name: "asks the predicate about the origin alone",
    caughtBy: PREDICATE,
    clause: "origins",
    says: "were [none, none, none] instead of [Bearer canary-access-1, none, none].",
    Client: judging(({ url }) => new URL(url.origin)),
  },
  {
    name: "asks the predicate before the query is in the URL",
    caughtBy: PREDICATE,
    clause: "origins",
    says: "were [Bearer canary-access-1, Bearer canary-access-1, none] instead of [Bearer canary-access-1, none, none].",
    Client: judging(({ url }) => new URL(url.pathname, url)),
  },
];

export const originMutants: readonly Mutant[] = [...compared, ...judged];
