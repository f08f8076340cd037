import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import { ManagedClient, type Mutant, withResponseInfo } from "./mutant.ts";

const ONCE = "retries a 401 once, after a single exchange";
const QUERY = "retries a POST with a query, however the client encodes it";
const SECOND = "returns the second 401";
const RIGHTS = "does not retry a 401 with insufficient_scope";
const LATE = "retries a late 401 for an old token without another exchange";
const CONCURRENT = "makes one exchange for 1000 concurrent 401s, and retries each request";
const NEW = "returns the 401 of a token that was just obtained, without refreshing it";

const times: readonly Mutant[] = [
  {
    name: "returns the first 401",
    caughtBy: ONCE,
    clause: "retry",
    says: "The call ended with status 401 instead of 200.",
    Client: class extends ReferenceClient {
      protected override async renew(attempt: Attempt) {
        await super.renew(attempt);
        return undefined;
      }
    },
  },
  {
    name: "passes the URL to the authorizer without the query",
    caughtBy: QUERY,
    clause: "retry",
    says: "A POST to /x?q=a+b%27&list%5B%5D=%C3%A9 was not retried after a 401. A POST whose URL differs between ",
    Client: class extends ReferenceClient {
      protected override authorize(request: PreparedRequest) {
        const { url, call } = request;
        return super.authorize({ ...request, url: call.query ? new URL(url.pathname, url) : url });
      }
    },
  },
  {
    name: "encodes the query of a retry again",
    caughtBy: QUERY,
    clause: "retry",
    says: "A POST to /x?q=a+b%27&list%5B%5D=%C3%A9 was sent to /x?q=a%2Bb%2527&",
    Client: class extends ReferenceClient {
      protected override retry(request: PreparedRequest, header: string) {
        const url = new URL(request.url);
        url.search = url.search.replace(/[+%]/g, encodeURIComponent);
        return super.retry({ ...request, url }, header);
      }
    },
  },
  {
    name: "retries a request with the rejected token",
    caughtBy: ONCE,
    clause: "retry",
    says: "The call ended with status 401 instead of 200.",
    Client: class extends ReferenceClient {
      protected override async renew(attempt: Attempt) {
        return (await super.renew(attempt)) && attempt.authorization.header;
      }
    },
  },
  {
    name: "retries a request without the query in its URL",
    caughtBy: ONCE,
    clause: "retry",
    says: "The paths of the two attempts were [/x?y=1, /x] instead of [/x?y=1, /x?y=1].",
    Client: class extends ReferenceClient {
      protected override retry(request: PreparedRequest, header: string) {
        const search = new URLSearchParams(request.call.query).toString();
        return super.retry({ ...request, url: Object.assign(new URL(request.url), { search }) }, header);
      }
    },
  },
  {
    name: "retries a request three times",
    caughtBy: SECOND,
    clause: "retry",
    says: "were [Bearer canary-access-1, Bearer canary-access-2, Bearer canary-access-2, Bearer canary-access-2]",
    Client: class extends ReferenceClient {
      protected override async retry(request: PreparedRequest, header: string) {
        let response = await super.retry(request, header);
        for (let more = 2; more > 0 && response.status === 401; more--) response = await super.retry(request, header);
        return response;
      }
    },
  },
  {
    name: "refreshes the token again after the second 401",
    caughtBy: SECOND,
    clause: "retry",
    says: "The number of exchanges was 2 instead of 1.",
    Client: class extends ManagedClient {
      protected override async retry(request: PreparedRequest, header: string) {
        const response = await super.retry(request, header);
        if (response.status === 401) await this.refresh();
        return response;
      }
    },
  },
  {
    name: "sends the retry through the adapter again",
    caughtBy: "retries only once, even if newer tokens keep arriving",
    clause: "retry",
    says: "were [Bearer canary-access-1, Bearer canary-access-2, Bearer canary-access-3, ",
    Client: class extends ReferenceClient {
      protected override retry(request: PreparedRequest) {
        return this.exchange(request);
      }
    },
  },
];

const reasons: readonly Mutant[] = [
  {
    name: "treats insufficient_scope as a rejected token",
    caughtBy: RIGHTS,
    clause: "retry",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [Bearer canary-access-1].",
    Client: withResponseInfo(() => ({ headers: {} })),
  },
  {
    name: "refreshes the token after insufficient_scope without a retry",
    caughtBy: RIGHTS,
    clause: "retry",
    says: "The number of exchanges was 1 instead of 0.",
    Client: class extends ManagedClient {
      protected override async renew(attempt: Attempt) {
        const header = await super.renew(attempt);
        if (attempt.response.headers.get("www-authenticate")?.includes("insufficient_scope")) await this.refresh();
        return header;
      }
    },
  },
  {
    name: "treats a 403 as a rejected token",
    caughtBy: "does not retry a 403",
    clause: "retry",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [Bearer canary-access-1].",
    Client: withResponseInfo(({ status }) => (status === 403 ? { status: 401 } : {})),
  },
  {
    name: "refreshes again although another call has refreshed the token",
    caughtBy: LATE,
    clause: "refresh",
    says: "The number of exchanges was 2 instead of 1.",
    Client: class extends ManagedClient {
      protected override async renew(attempt: Attempt) {
        const current = `Bearer ${await this.tokens.getAccessToken()}`;
        const header = await super.renew(attempt);
        return header && current !== attempt.authorization.header ? this.refresh() : header;
      }
    },
  },
  {
    name: "refreshes the token for each of many 401s",
    caughtBy: CONCURRENT,
    clause: "refresh",
    says: " instead of 1.",
    Client: class extends ManagedClient {
      protected override async renew({ response }: Attempt) {
        return response.status === 401 ? this.refresh() : undefined;
      }
    },
  },
  {
    name: "retries no more than 100 requests of a client",
    caughtBy: CONCURRENT,
    clause: "retry",
    says: "900 of 1000 calls did not end with status 200.",
    Client: class extends ReferenceClient {
      #left = 100;

      protected override async renew(attempt: Attempt) {
        if (attempt.response.status === 401 && --this.#left < 0) return undefined;
        return super.renew(attempt);
      }
    },
  },
  {
    name: "refreshes a token that was just obtained",
    caughtBy: NEW,
    clause: "retry",
    says: "were [Bearer canary-access-2, Bearer canary-access-3] instead of [Bearer canary-access-2].",
    Client: class extends ManagedClient {
      protected override async renew(attempt: Attempt) {
        const header = await super.renew(attempt);
        const isRefused = attempt.response.headers.get("www-authenticate")?.includes("invalid_token");
        if (header || !isRefused || this.setup.isUnauthorized || attempt.response.redirected) return header;
        const refused = attempt.authorization.header.replace("Bearer ", "");
        return this.tokens.replaceRejected(refused).then(
          () => undefined,
          () => this.refresh(),
        );
      }
    },
  },
  {
    name: "throws if the token was just obtained",
    caughtBy: NEW,
    clause: "retry",
    says: "A call that received a 401 for a token that was just obtained failed: ",
    Client: class extends ManagedClient {
      protected override async renew({ authorization: { header } }: Attempt) {
        return `Bearer ${await this.tokens.replaceRejected(header.replace("Bearer ", ""))}`;
      }
    },
  },
];

export const retryingMutants: readonly Mutant[] = [...times, ...reasons];
