import { ReferenceClient, type Sending, type Tried } from "../reference-client.ts";
import { type Mutant, told } from "./mutant.ts";

const WITHIN = "keeps the token through a redirect within the origin, and retries its 401";
const caseOf = (status: number) => `drops the token at a ${status} to another origin`;

const MOST = 20; // as fetch

interface Hop {
  readonly from: URL;
  readonly to: URL;
  readonly status: number;
}

/** Follows redirects itself, with the headers where `keeps` says so. */
const following = (keeps: (hop: Hop) => boolean) =>
  class extends ReferenceClient {
    protected override async transmit(sending: Sending, left = MOST): Promise<Response> {
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

const along = (status: number): Mutant => ({
  name: `takes the token along as it follows a ${status} by hand`,
  caughtBy: caseOf(status),
  clause: "origins",
  says: "were [Bearer canary-access-1], and not [none].",
  Client: following((hop) => hop.from.origin === hop.to.origin || hop.status === status),
});

export const redirectMutants: readonly Mutant[] = [
  ...[301, 302, 303, 307, 308].map(along),
  {
    name: "takes a 401 from another origin for one of its own, after a redirect",
    caughtBy: "leaves a 401 alone to which a redirect to another origin led",
    clause: "origins",
    says: "were [Bearer canary-access-1, Bearer canary-access-2], and not [Bearer canary-access-1].",
    Client: told(() => ({ url: undefined })),
  },
  {
    name: "begins again what it cannot know to be undone",
    caughtBy: "does not begin a POST again whose redirect led to a 401",
    clause: "body",
    says: "The POST was answered with a redirect, and sent 2 times.",
    Client: told(() => ({ method: "GET" })),
  },
  {
    name: "takes a redirect for a request of the caller's",
    caughtBy: "sends no token with a redirect from another origin",
    clause: "origins",
    says: "were [Bearer canary-access-1], and not [none].",
    Client: class extends ReferenceClient {
      protected override async exchange(sending: Sending): Promise<Response> {
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
    says: "The call ended with status 401, and not 200.",
    Client: following(() => false),
  },
  {
    name: "hands out a 401 that comes after a redirect",
    caughtBy: WITHIN,
    clause: "retry",
    says: "The call ended with status 401, and not 200.",
    Client: class extends ReferenceClient {
      protected override async renew(tried: Tried) {
        return tried.response.redirected ? undefined : super.renew(tried);
      }
    },
  },
];
