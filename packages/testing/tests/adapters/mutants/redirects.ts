import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import { type Mutant, withResponseInfo } from "./mutant.ts";

const WITHIN = "keeps the token on a redirect within the origin, and retries a 401 after it";
const caseOf = (status: number) => `drops the token on a ${status} redirect to another origin`;

const MAX_REDIRECTS = 20; // as fetch

interface Hop {
  readonly from: URL;
  readonly to: URL;
  readonly status: number;
}

/** Follows redirects itself. `keeps` decides whether the Authorization header is kept. */
const following = (keeps: (hop: Hop) => boolean) =>
  class extends ReferenceClient {
    protected override async transmit(request: PreparedRequest, left = MAX_REDIRECTS): Promise<Response> {
      const response = await super.transmit({ ...request, redirect: "manual" });
      const location = response.headers.get("location");
      if (!location || left === 0) return response;
      const from = request.url;
      const to = new URL(location, from);
      const headers = new Headers(request.headers);
      if (!keeps({ from, to, status: response.status })) headers.delete("authorization");
      return this.transmit({ ...request, url: to, headers }, left - 1);
    }
  };

const leakingRedirect = (status: number): Mutant => ({
  name: `sends the token along when it follows a ${status} itself`,
  caughtBy: caseOf(status),
  clause: "origins",
  says: "were [Bearer canary-access-1] instead of [none].",
  Client: following((hop) => hop.from.origin === hop.to.origin || hop.status === status),
});

export const redirectMutants: readonly Mutant[] = [
  ...[301, 302, 303, 307, 308].map(leakingRedirect),
  {
    name: "retries a 401 from another origin after a redirect",
    caughtBy: "does not retry a 401 after a redirect to another origin",
    clause: "origins",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [Bearer canary-access-1].",
    Client: withResponseInfo(() => ({ url: undefined })),
  },
  {
    name: "repeats a POST that may have taken effect",
    caughtBy: "does not repeat a POST if its redirect led to a 401",
    clause: "body",
    says: "The POST was redirected, and was sent 2 times.",
    Client: withResponseInfo(() => ({ method: "GET" })),
  },
  {
    name: "treats a redirect as a new request of the caller",
    caughtBy: "sends no token on a redirect from another origin",
    clause: "origins",
    says: "were [Bearer canary-access-1] instead of [none].",
    Client: class extends ReferenceClient {
      protected override async exchange(request: PreparedRequest): Promise<Response> {
        const response = await super.exchange({ ...request, redirect: "manual" });
        const location = response.headers.get("location");
        return location ? this.exchange({ ...request, url: new URL(location, request.url) }) : response;
      }
    },
  },
  {
    name: "drops the token on every redirect",
    caughtBy: WITHIN,
    clause: "retry",
    says: "The call ended with status 401 instead of 200.",
    Client: following(() => false),
  },
  {
    name: "returns a 401 that follows a redirect",
    caughtBy: WITHIN,
    clause: "retry",
    says: "The call ended with status 401 instead of 200.",
    Client: class extends ReferenceClient {
      protected override async renew(attempt: Attempt) {
        return attempt.response.redirected ? undefined : super.renew(attempt);
      }
    },
  },
];
