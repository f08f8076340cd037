import { createAuthorizer } from "@unexpired/core/adapter";
import type { ClientSetup } from "../../../src/index.ts";
import { ReferenceClient, type Sending } from "../reference-client.ts";
import { ManagedClient, type Mutant } from "./mutant.ts";

const ABSOLUTE = "sends no token to an absolute URL of another origin, and leaves its 401 alone";
const PORT = "sends no token to another port of the host";
const PREDICATE = "asks a predicate about the whole URL";

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
const judging = (judged: (sending: Sending, origin: string) => URL | undefined) =>
  class extends ReferenceClient {
    protected override authorize(sending: Sending) {
      const url = judged(sending, this.defaults.baseURL);
      return super.authorize(url ? { ...sending, url, headers: new Headers(sending.call.headers) } : sending);
    }
  };

const compared: readonly Mutant[] = [
  {
    name: "sends the token everywhere",
    caughtBy: ABSOLUTE,
    clause: "origins",
    says: "were [Bearer canary-access-1, Bearer canary-access-2], and not [none].",
    Client: comparing(() => true),
  },
  {
    name: "renews at the 401 of another origin",
    caughtBy: ABSOLUTE,
    clause: "origins",
    says: "The number of exchanges was 1, and not 0.",
    Client: class extends ManagedClient {
      protected override async attempts(sending: Sending) {
        const response = await super.attempts(sending);
        const isPlain = this.authorizer && !sending.headers.has("authorization") && !sending.call.settings;
        if (isPlain && response.status === 401) await this.refresh();
        return response;
      }
    },
  },
  {
    name: "compares hosts, and takes http for https",
    caughtBy: "sends no token over http where the origin is https",
    clause: "origins",
    says: "were [Bearer canary-access-1], and not [none].",
    Client: comparing((url, origin) => url.host === origin.host),
  },
  {
    name: "compares the ends of host names, without their ports",
    caughtBy: PORT,
    clause: "origins",
    says: "were [Bearer canary-access-1, Bearer canary-access-1], and not [none, none].",
    Client: comparing((url, { hostname, protocol }) => url.protocol === protocol && url.hostname.endsWith(hostname)),
  },
  {
    name: "takes an origin without a port for one with every port",
    caughtBy: PORT,
    clause: "origins",
    says: "were [none, Bearer canary-access-1], and not [none, none].",
    Client: comparing((url, { origin }) => url.href.startsWith(origin)),
  },
];

const judged: readonly Mutant[] = [
  {
    name: "decides by the instance's base URL, which a request replaces",
    caughtBy: "sends no token to a request's own base URL",
    clause: "origins",
    says: "were [Bearer canary-access-1], and not [none].",
    Client: judging(({ call }, baseURL) => (call.baseURL ? new URL(call.url, baseURL) : undefined)),
  },
  {
    name: "decides by how the URL begins, as it was written",
    caughtBy: "is not led astray by user information in a URL",
    clause: "origins",
    says: "A URL with user information took the token along.",
    Client: judging(({ call }, baseURL) => (call.url.startsWith(baseURL) ? new URL(baseURL) : undefined)),
  },
  {
    name: "takes a protocol-relative URL for a path",
    caughtBy: "is not led astray by a protocol-relative URL",
    clause: "origins",
    says: "A protocol-relative URL took the token along.",
    Client: judging(({ call }, baseURL) => (call.url.startsWith("//") ? new URL(baseURL) : undefined)),
  },
  {
    name: "asks the predicate about the origin alone",
    caughtBy: PREDICATE,
    clause: "origins",
    says: "were [none, none, none], and not [Bearer canary-access-1, none, none].",
    Client: judging(({ url }) => new URL(url.origin)),
  },
  {
    name: "asks the predicate before the query is in the URL",
    caughtBy: PREDICATE,
    clause: "origins",
    says: "were [Bearer canary-access-1, Bearer canary-access-1, none], and not [Bearer canary-access-1, none, none].",
    Client: judging(({ url }) => new URL(url.pathname, url)),
  },
];

export const originMutants: readonly Mutant[] = [...compared, ...judged];
