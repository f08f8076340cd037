import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import { ManagedClient, type Mutant, withResponseInfo } from "./mutant.ts";

const ONCE = "retries a 401 once, after a single exchange";
const SECOND = "returns the second 401";
const RIGHTS = "does not retry a 401 with insufficient_scope";
const LATE = "retries a late 401 for an old token without another exchange";
const CROWD = "makes one exchange for 1000 concurrent 401s, and retries each request";
const NEW = "returns the 401 of a token that was just obtained, without renewing it";

const times: readonly Mutant[] = [
  {
    name: "hands out the first 401",
    caughtBy: ONCE,
    clause: "retry",
    says: "The call ended with status 401 instead of 200.",
    Client: class extends ReferenceClient {
      protected override async renew(tried: Attempt) {
        await super.renew(tried);
        return undefined;
      }
    },
  },
  {
    name: "repeats a request with the token that was refused",
    caughtBy: ONCE,
    clause: "retry",
    says: "The call ended with status 401 instead of 200.",
    Client: class extends ReferenceClient {
      protected override async renew(tried: Attempt) {
        return (await super.renew(tried)) && tried.authorization.header;
      }
    },
  },
  {
    name: "repeats a request without the query in its path",
    caughtBy: ONCE,
    clause: "retry",
    says: "The paths of the two attempts were [/x?y=1, /x] instead of [/x?y=1, /x?y=1].",
    Client: class extends ReferenceClient {
      protected override retry(sending: PreparedRequest, header: string) {
        const search = new URLSearchParams(sending.call.query).toString();
        return super.retry({ ...sending, url: Object.assign(new URL(sending.url), { search }) }, header);
      }
    },
  },
  {
    name: "repeats a request three times",
    caughtBy: SECOND,
    clause: "retry",
    says: "were [Bearer canary-access-1, Bearer canary-access-2, Bearer canary-access-2, Bearer canary-access-2]",
    Client: class extends ReferenceClient {
      protected override async retry(sending: PreparedRequest, header: string) {
        let response = await super.retry(sending, header);
        for (let more = 2; more > 0 && response.status === 401; more--) response = await super.retry(sending, header);
        return response;
      }
    },
  },
  {
    name: "renews once more at the second 401",
    caughtBy: SECOND,
    clause: "retry",
    says: "The number of exchanges was 2 instead of 1.",
    Client: class extends ManagedClient {
      protected override async retry(sending: PreparedRequest, header: string) {
        const response = await super.retry(sending, header);
        if (response.status === 401) await this.refresh();
        return response;
      }
    },
  },
  {
    name: "begins anew with the newer token, adapter and all",
    caughtBy: "retries only once, even if newer tokens keep arriving",
    clause: "retry",
    says: "were [Bearer canary-access-1, Bearer canary-access-2, Bearer canary-access-3, ",
    Client: class extends ReferenceClient {
      protected override retry(sending: PreparedRequest) {
        return this.exchange(sending);
      }
    },
  },
];

const reasons: readonly Mutant[] = [
  {
    name: "takes insufficient_scope for a token that is refused",
    caughtBy: RIGHTS,
    clause: "retry",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [Bearer canary-access-1].",
    Client: withResponseInfo(() => ({ headers: {} })),
  },
  {
    name: "renews at insufficient_scope, and does not repeat the request",
    caughtBy: RIGHTS,
    clause: "retry",
    says: "The number of exchanges was 1 instead of 0.",
    Client: class extends ManagedClient {
      protected override async renew(tried: Attempt) {
        const header = await super.renew(tried);
        if (tried.response.headers.get("www-authenticate")?.includes("insufficient_scope")) await this.refresh();
        return header;
      }
    },
  },
  {
    name: "takes a 403 for a token that is refused",
    caughtBy: "does not retry a 403",
    clause: "retry",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [Bearer canary-access-1].",
    Client: withResponseInfo(({ status }) => (status === 403 ? { status: 401 } : {})),
  },
  {
    name: "renews once more where somebody has renewed meanwhile",
    caughtBy: LATE,
    clause: "renewal",
    says: "The number of exchanges was 2 instead of 1.",
    Client: class extends ManagedClient {
      protected override async renew(tried: Attempt) {
        const current = `Bearer ${await this.tokens.getAccessToken()}`;
        const header = await super.renew(tried);
        return header && current !== tried.authorization.header ? this.refresh() : header;
      }
    },
  },
  {
    name: "renews for each of many 401s as it arrives",
    caughtBy: CROWD,
    clause: "renewal",
    says: " instead of 1.",
    Client: class extends ManagedClient {
      protected override async renew({ response }: Attempt) {
        return response.status === 401 ? this.refresh() : undefined;
      }
    },
  },
  {
    name: "repeats no more than 100 requests of a client",
    caughtBy: CROWD,
    clause: "retry",
    says: "900 of 1000 calls did not end with status 200.",
    Client: class extends ReferenceClient {
      #left = 100;

      protected override async renew(tried: Attempt) {
        if (tried.response.status === 401 && --this.#left < 0) return undefined;
        return super.renew(tried);
      }
    },
  },
  {
    name: "renews a token that was just obtained",
    caughtBy: NEW,
    clause: "retry",
    says: "were [Bearer canary-access-2, Bearer canary-access-3] instead of [Bearer canary-access-2].",
    Client: class extends ManagedClient {
      protected override async renew(tried: Attempt) {
        const header = await super.renew(tried);
        const isRefused = tried.response.headers.get("www-authenticate")?.includes("invalid_token");
        if (header || !isRefused || this.setup.isUnauthorized || tried.response.redirected) return header;
        const refused = tried.authorization.header.replace("Bearer ", "");
        return this.tokens.replaceRejected(refused).then(
          () => undefined,
          () => this.refresh(),
        );
      }
    },
  },
  {
    name: "throws where the token was just obtained",
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
