import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import { type Mutant, withResponseInfo } from "./mutant.ts";

const WITHIN = "keeps the token on a redirect within the origin, and retries a 401 after it";
const caseOf = (status: number) => `drops the token on a ${status} redirect to another origin`;

const MOST = 20; // as fetch

interface Hop {
  readonly from: URL;
  readonly to: URL;
  readonly status: number;
}

/** Follows redirects itself, with the headers where `keeps` says so. */
const following = (keeps: (hop: Hop) => boolean) =>
  class extends ReferenceClient {
    protected override async transmit(sending: PreparedRequest, left = MOST): Promise<Response> {
      const response = await super.transmit({ ...sending, redirect: "manual" });
      const location = response.headers.get("location");
      if (!location || left === 0) return response;
      const from = sending.url;
      const to = new URL(location, from);
      const headers = new Headers(sending.headers);
      if (!keeps({ from, to, status: response.status })) headers.delete("authorization");
      return this.transmit({ ...sending, url: to, headers }, left - 1);
    }
  };

const leakingRedirect = (status: number): Mutant => ({
  name: `takes the token along as it follows a ${status} by hand`,
  caughtBy: caseOf(status),
  clause: "origins",
  says: "were [Bearer canary-access-1] instead of [none].",
  Client: following((hop) => hop.from.origin === hop.to.origin || hop.status === status),
});

export const redirectMutants: readonly Mutant[] = [
  ...[301, 302, 303, 307, 308].map(leakingRedirect),
  {
    name: "takes a 401 from another origin for one of its own, after a redirect",
    caughtBy: "does not retry a 401 after a redirect to another origin",
    clause: "origins",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [Bearer canary-access-1].",
    Client: withResponseInfo(() => ({ url: undefined })),
  },
  {
    name: "begins again what it cannot know to be undone",
    caughtBy: "does not repeat a POST if its redirect led to a 401",
    clause: "body",
    says: "The POST was redirected, and was sent 2 times.",
    Client: withResponseInfo(() => ({ method: "GET" })),
  },
  {
    name: "takes a redirect for a request of the caller's",
    caughtBy: "sends no token on a redirect from another origin",
    clause: "origins",
    says: "were [Bearer canary-access-1] instead of [none].",
    Client: class extends ReferenceClient {
      protected override async exchange(sending: PreparedRequest): Promise<Response> {
        const response = await super.exchange({ ...sending, redirect: "manual" });
        const location = response.headers.get("location");
        return location ? this.exchange({ ...sending, url: new URL(location, sending.url) }) : response;
      }
    },
  },
  {
    name: "drops the token at every redirect",
    caughtBy: WITHIN,
    clause: "retry",
    says: "The call ended with status 401 instead of 200.",
    Client: following(() => false),
  },
  {
    name: "hands out a 401 that comes after a redirect",
    caughtBy: WITHIN,
    clause: "retry",
    says: "The call ended with status 401 instead of 200.",
    Client: class extends ReferenceClient {
      protected override async renew(tried: Attempt) {
        return tried.response.redirected ? undefined : super.renew(tried);
      }
    },
  },
];
