import { createAuthorizer } from "@unexpired/core/adapter";
import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import { ManagedClient, type Mutant } from "./mutant.ts";

const WITHOUT = "sends one request without the token with perRequest({ tokens: false }), and does not retry its 401";
const ANOTHER = "sends and renews another manager's token for one request with perRequest({ tokens })";
const ONCE = "returns a 401 immediately with perRequest({ retry: false }), and renews the token for the next call";

/** Does not see what this one request wants. */
class Blind extends ReferenceClient {
  protected override authorize(sending: PreparedRequest) {
    return super.authorize({ ...sending, call: { ...sending.call, settings: undefined } });
  }
}

export const settingsMutants: readonly Mutant[] = [
  {
    name: "sends the token with a request that wants none",
    caughtBy: WITHOUT,
    clause: "request",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [none].",
    Client: Blind,
  },
  {
    name: "goes without the token from then on",
    caughtBy: WITHOUT,
    clause: "request",
    says: "were [none, none] instead of [none, Bearer canary-access-1].",
    Client: class extends ReferenceClient {
      protected override authorize(sending: PreparedRequest) {
        if (sending.call.settings?.tokens === false) this.detach();
        return super.authorize(sending);
      }
    },
  },
  {
    name: "renews its own token in place of the other manager's",
    caughtBy: ANOTHER,
    clause: "request",
    says: "The call ended with status 401 instead of 200.",
    Client: class extends ManagedClient {
      protected override async renew({ response }: Attempt) {
        return response.status === 401 ? this.refresh() : undefined;
      }
    },
  },
  {
    name: "lets another manager's token go everywhere",
    caughtBy: ANOTHER,
    clause: "origins",
    says: "were [Bearer canary-access-second-2] instead of [none].",
    Client: class extends ReferenceClient {
      protected override authorize(sending: PreparedRequest) {
        const { tokens } = sending.call.settings ?? {};
        if (!tokens) return super.authorize(sending);
        return createAuthorizer(tokens, { origins: () => true }).authorize(sending);
      }
    },
  },
  {
    name: "repeats a request that is not to be repeated",
    caughtBy: ONCE,
    clause: "request",
    says: "The call ended with status 200 instead of 401.",
    Client: Blind,
  },
  {
    name: "renews nothing where it is not to repeat the request",
    caughtBy: ONCE,
    clause: "request",
    says: "The 401 of a request that is not retried did not renew the token.",
    Client: class extends ReferenceClient {
      protected override async renew(tried: Attempt) {
        return tried.sending.call.settings?.retry === false ? undefined : super.renew(tried);
      }
    },
  },
];
