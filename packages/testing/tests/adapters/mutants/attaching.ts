import { UnexpiredError } from "@unexpired/core";
import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import { ManagedClient, type Mutant } from "./mutant.ts";

const ATTACHES = "attaches the token to a request to one of its origins";
const EXPIRED = "refreshes an expired token before sending the request";
const TYPE = "attaches a token of any type as Bearer";
const PROOF = "throws the token manager's error if the token needs a proof of possession, and sends nothing";
const OWN = "keeps the caller's own Authorization header, and does not retry its 401";
const SIGNED_OUT = "throws the token manager's error if no user is signed in, and sends nothing";
const UNREACHABLE = "throws the token manager's error if an expired token cannot be refreshed, and sends nothing";
const SEPARATE = "keeps the sessions of two clients separate";

/** Handles the token manager's errors with this code. */
const handling = (code: UnexpiredError["code"], handle: () => undefined) =>
  class extends ReferenceClient {
    protected override async authorize(request: PreparedRequest) {
      try {
        return await super.authorize(request);
      } catch (error) {
        if (UnexpiredError.is(error) && error.code === code) return handle();
        throw error;
      }
    }
  };

const attached: readonly Mutant[] = [
  {
    name: "sends the access token without its scheme",
    caughtBy: ATTACHES,
    clause: "attach",
    says: "were [canary-access-1] instead of [Bearer canary-access-1].",
    Client: class extends ReferenceClient {
      protected override withHeader(request: PreparedRequest, header: string) {
        return super.withHeader(request, header.replace("Bearer ", ""));
      }
    },
  },
  {
    name: "attaches the token only after a 401",
    caughtBy: ATTACHES,
    clause: "attach",
    says: "were [none] instead of [Bearer canary-access-1].",
    Client: class extends ReferenceClient {
      protected override async exchange(request: PreparedRequest) {
        const response = await this.sendWithRetries(request);
        return response.status === 401 ? super.exchange(request) : response;
      }
    },
  },
  {
    name: "sends no token if the stored one has expired",
    caughtBy: EXPIRED,
    clause: "attach",
    says: "were [none] instead of [Bearer canary-access-expired-2].",
    Client: class extends ManagedClient {
      protected override async authorize(request: PreparedRequest) {
        return this.tokens.state?.status === "valid" ? super.authorize(request) : undefined;
      }
    },
  },
  {
    name: "refreshes an expired token twice",
    caughtBy: EXPIRED,
    clause: "attach",
    says: "The number of exchanges was 2 instead of 1.",
    Client: class extends ManagedClient {
      protected override async authorize(request: PreparedRequest) {
        const hasExpired = this.setup.tokens && this.tokens.state?.status === "near-expiry";
        const authorization = await super.authorize(request);
        if (hasExpired) await this.refresh();
        return authorization;
      }
    },
  },
  {
    name: "replaces the caller's own Authorization",
    caughtBy: OWN,
    clause: "own",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [Basic own].",
    Client: class extends ReferenceClient {
      protected override authorize(request: PreparedRequest) {
        return super.authorize({ ...request, headers: new Headers() });
      }
    },
  },
  {
    name: "adds the token to the caller's own Authorization",
    caughtBy: OWN,
    clause: "own",
    says: "[Basic own, Bearer canary-access-1, ",
    Client: class extends ReferenceClient {
      protected override authorize(request: PreparedRequest) {
        return super.authorize({ ...request, headers: new Headers() });
      }

      protected override withHeader(request: PreparedRequest, header: string) {
        const own = request.headers.get("authorization");
        return super.withHeader(request, own ? `${own}, ${header}` : header);
      }
    },
  },
  {
    name: "refreshes the token after a 401 for the caller's own Authorization",
    caughtBy: OWN,
    clause: "own",
    says: "The number of exchanges was 1 instead of 0.",
    Client: class extends ManagedClient {
      protected override async sendWithRetries(request: PreparedRequest) {
        const response = await super.sendWithRetries(request);
        if (response.status === 401) await this.refresh();
        return response;
      }
    },
  },
];

const typed: readonly Mutant[] = [
  {
    name: "sends the token's type as the scheme",
    caughtBy: TYPE,
    clause: "attach",
    says: "The call ended with status 401 instead of 200.",
    Client: class extends ManagedClient {
      protected override async authorize(request: PreparedRequest) {
        if (this.setup.tokens) this.#type = (await this.tokens.getTokenSet()).tokenType;
        return super.authorize(request);
      }

      protected override withHeader(request: PreparedRequest, header: string) {
        return super.withHeader(request, header.replace("Bearer", this.#type));
      }

      #type = "Bearer";
    },
  },
  {
    name: "accepts only tokens of type Bearer",
    caughtBy: TYPE,
    clause: "attach",
    says: 'A call with a token of type "bot" failed: Unknown type bot',
    Client: class extends ManagedClient {
      protected override async authorize(request: PreparedRequest) {
        const { tokenType } = await this.tokens.getTokenSet();
        if (tokenType !== "Bearer") throw new Error(`Unknown type ${tokenType}`);
        return super.authorize(request);
      }
    },
  },
  {
    name: "sends the request without a token that needs a proof",
    caughtBy: PROOF,
    clause: "attach",
    says: "The token needs a proof of possession, but the call did not fail: it ended with status 200.",
    Client: handling("CONFIGURATION", () => undefined),
  },
];

const failed: readonly Mutant[] = [
  {
    name: "sends no token if no user is signed in",
    caughtBy: SIGNED_OUT,
    clause: "refresh",
    says: "No user is signed in, but the call did not fail: it ended with status 200.",
    Client: handling("SIGN_IN_REQUIRED", () => undefined),
  },
  {
    name: "throws its own error if no user is signed in",
    caughtBy: SIGNED_OUT,
    clause: "refresh",
    says: "The call threw Error: Not signed in instead of the token manager's error with code SIGN_IN_REQUIRED.",
    Client: handling("SIGN_IN_REQUIRED", () => {
      throw new Error("Not signed in");
    }),
  },
  {
    name: "sends the request without waiting for the token if no user is signed in",
    caughtBy: SIGNED_OUT,
    clause: "attach",
    says: "The Authorization headers that the server received were [none] instead of [].",
    Client: class extends ReferenceClient {
      protected override async authorize(request: PreparedRequest) {
        const authorization = super.authorize(request);
        authorization.catch(() => {}); // awaited below
        await this.sendWithRetries(request);
        return authorization;
      }
    },
  },
  {
    name: "sends no token if the expired one cannot be refreshed",
    caughtBy: UNREACHABLE,
    clause: "refresh",
    says: "The token endpoint was down, but the call did not fail: it ended with status 200.",
    Client: handling("REFRESH_FAILED", () => undefined),
  },
  {
    name: "asks for a sign-in if the expired token cannot be refreshed",
    caughtBy: UNREACHABLE,
    clause: "refresh",
    says: "The call threw Error: Sign in again instead of the token manager's error with code REFRESH_FAILED.",
    Client: handling("REFRESH_FAILED", () => {
      throw new Error("Sign in again");
    }),
  },
];

let header: string | undefined;
let renewal: Promise<string | undefined> | undefined;

const shared: readonly Mutant[] = [
  {
    name: "keeps the token in a variable of its module",
    caughtBy: SEPARATE,
    clause: "instance",
    says: "The Authorization headers that the server received were ",
    Client: class extends ReferenceClient {
      protected override withHeader(request: PreparedRequest, own: string) {
        header ??= own;
        return super.withHeader(request, header);
      }
    },
  },
  {
    name: "keeps the refresh in a variable of its module",
    caughtBy: SEPARATE,
    clause: "instance",
    says: " led to 0 exchanges of its session instead of 1.",
    Client: class extends ReferenceClient {
      protected override renew(attempt: Attempt) {
        if (attempt.response.status === 401) renewal ??= super.renew(attempt);
        return renewal ?? super.renew(attempt);
      }
    },
  },
];

export const attachingMutants: readonly Mutant[] = [...attached, ...typed, ...failed, ...shared];
