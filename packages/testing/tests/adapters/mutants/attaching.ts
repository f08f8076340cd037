import { UnexpiredError } from "@unexpired/core";
import { ReferenceClient, type Sending, type Tried } from "../reference-client.ts";
import { ManagedClient, type Mutant } from "./mutant.ts";

const ATTACHES = "attaches the token to a request to one of the origins";
const EXPIRED = "renews an expired token before it sends the request";
const OWN = "keeps the caller's own Authorization, and leaves its 401 alone";
const SIGNED_OUT = "throws the token manager's error where the user has to sign in, and sends nothing";
const UNREACHABLE = "throws the token manager's error where an expired token cannot be renewed, and sends nothing";
const APART = "keeps two managers on two clients apart";

/** What becomes of an error of the token manager's that has this code. */
const meeting = (code: UnexpiredError["code"], handle: () => undefined) =>
  class extends ReferenceClient {
    protected override async authorize(sending: Sending) {
      try {
        return await super.authorize(sending);
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
    says: "were [canary-access-1], and not [Bearer canary-access-1].",
    Client: class extends ReferenceClient {
      protected override withHeader(sending: Sending, header: string) {
        return super.withHeader(sending, header.replace("Bearer ", ""));
      }
    },
  },
  {
    name: "attaches the token only after a 401",
    caughtBy: ATTACHES,
    clause: "attach",
    says: "were [none], and not [Bearer canary-access-1].",
    Client: class extends ReferenceClient {
      protected override async exchange(sending: Sending) {
        const response = await this.attempts(sending);
        return response.status === 401 ? super.exchange(sending) : response;
      }
    },
  },
  {
    name: "goes without a token where the stored one has expired",
    caughtBy: EXPIRED,
    clause: "attach",
    says: "were [none], and not [Bearer canary-access-expired-2].",
    Client: class extends ManagedClient {
      protected override async authorize(sending: Sending) {
        return this.tokens.state?.status === "valid" ? super.authorize(sending) : undefined;
      }
    },
  },
  {
    name: "renews an expired token, and at once the newer one",
    caughtBy: EXPIRED,
    clause: "attach",
    says: "The number of exchanges was 2, and not 1.",
    Client: class extends ManagedClient {
      protected override async authorize(sending: Sending) {
        const hasExpired = this.setup.tokens && this.tokens.state?.status === "near-expiry";
        const authorization = await super.authorize(sending);
        if (hasExpired) await this.refresh();
        return authorization;
      }
    },
  },
  {
    name: "replaces the caller's own Authorization",
    caughtBy: OWN,
    clause: "own",
    says: "were [Bearer canary-access-1, Bearer canary-access-2], and not [Basic own].",
    Client: class extends ReferenceClient {
      protected override authorize(sending: Sending) {
        return super.authorize({ ...sending, headers: new Headers() });
      }
    },
  },
  {
    name: "adds the token to the caller's own Authorization",
    caughtBy: OWN,
    clause: "own",
    says: "[Basic own, Bearer canary-access-1, ",
    Client: class extends ReferenceClient {
      protected override authorize(sending: Sending) {
        return super.authorize({ ...sending, headers: new Headers() });
      }

      protected override withHeader(sending: Sending, header: string) {
        const own = sending.headers.get("authorization");
        return super.withHeader(sending, own ? `${own}, ${header}` : header);
      }
    },
  },
  {
    name: "renews the token at a 401 of the caller's own Authorization",
    caughtBy: OWN,
    clause: "own",
    says: "The number of exchanges was 1, and not 0.",
    Client: class extends ManagedClient {
      protected override async attempts(sending: Sending) {
        const response = await super.attempts(sending);
        if (response.status === 401) await this.refresh();
        return response;
      }
    },
  },
];

const failed: readonly Mutant[] = [
  {
    name: "goes without a token where nobody is signed in",
    caughtBy: SIGNED_OUT,
    clause: "renewal",
    says: "Nobody is signed in, and the call did not fail: it ended with status 200.",
    Client: meeting("SIGN_IN_REQUIRED", () => undefined),
  },
  {
    name: "throws an error of its own where nobody is signed in",
    caughtBy: SIGNED_OUT,
    clause: "renewal",
    says: "The call threw Error: Not signed in, and not the token manager's error with code SIGN_IN_REQUIRED.",
    Client: meeting("SIGN_IN_REQUIRED", () => {
      throw new Error("Not signed in");
    }),
  },
  {
    name: "sends the request without waiting for the token, where nobody is signed in",
    caughtBy: SIGNED_OUT,
    clause: "attach",
    says: "The Authorization headers that the server saw were [none], and not [].",
    Client: class extends ReferenceClient {
      protected override async authorize(sending: Sending) {
        const authorization = super.authorize(sending);
        authorization.catch(() => {}); // it is awaited below
        await this.attempts(sending);
        return authorization;
      }
    },
  },
  {
    name: "goes without a token where the expired one cannot be renewed",
    caughtBy: UNREACHABLE,
    clause: "renewal",
    says: "The token endpoint was down, and the call did not fail: it ended with status 200.",
    Client: meeting("REFRESH_FAILED", () => undefined),
  },
  {
    name: "asks for a sign-in where the expired token cannot be renewed",
    caughtBy: UNREACHABLE,
    clause: "renewal",
    says: "The call threw Error: Sign in again, and not the token manager's error with code REFRESH_FAILED.",
    Client: meeting("REFRESH_FAILED", () => {
      throw new Error("Sign in again");
    }),
  },
];

let header: string | undefined;
let renewal: Promise<string | undefined> | undefined;

const shared: readonly Mutant[] = [
  {
    name: "keeps the token in a variable of its module",
    caughtBy: APART,
    clause: "instance",
    says: "The Authorization headers that the server saw were ",
    Client: class extends ReferenceClient {
      protected override withHeader(sending: Sending, own: string) {
        header ??= own;
        return super.withHeader(sending, header);
      }
    },
  },
  {
    name: "keeps the renewal in a variable of its module",
    caughtBy: APART,
    clause: "instance",
    says: " led to 0 exchanges of its session, and not 1.",
    Client: class extends ReferenceClient {
      protected override renew(tried: Tried) {
        if (tried.response.status === 401) renewal ??= super.renew(tried);
        return renewal ?? super.renew(tried);
      }
    },
  },
];

export const attachingMutants: readonly Mutant[] = [...attached, ...failed, ...shared];
