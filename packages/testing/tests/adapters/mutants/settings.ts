import { createAuthorizer } from "@unexpired/core/adapter";
import { ReferenceClient, type Sending, type Tried } from "../reference-client.ts";
import { ManagedClient, type Mutant } from "./mutant.ts";

const WITHOUT = "perRequest({ tokens: false }): sends one request without the token, and leaves its 401 alone";
const ANOTHER = "perRequest({ tokens }): sends one request with another manager's token, and renews that one";
const ONCE = "perRequest({ retry: false }): hands out a request's 401 at once, and renews the token for the next call";

/** Does not see what this one request wants. */
class Blind extends ReferenceClient {
  protected override authorize(sending: Sending) {
    return super.authorize({ ...sending, call: { ...sending.call, settings: undefined } });
  }
}

export const settingsMutants: readonly Mutant[] = [
  {
    name: "sends the token with a request that wants none",
    caughtBy: WITHOUT,
    clause: "request",
    says: "were [Bearer canary-access-1, Bearer canary-access-2], and not [none].",
    Client: Blind,
  },
  {
    name: "goes without the token from then on",
    caughtBy: WITHOUT,
    clause: "request",
    says: "were [none, none], and not [none, Bearer canary-access-1].",
    Client: class extends ReferenceClient {
      protected override authorize(sending: Sending) {
        if (sending.call.settings?.tokens === false) this.detach();
        return super.authorize(sending);
      }
    },
  },
  {
    name: "renews its own token in place of the other manager's",
    caughtBy: ANOTHER,
    clause: "request",
    says: "The call ended with status 401, and not 200.",
    Client: class extends ManagedClient {
      protected override async renew({ response }: Tried) {
        return response.status === 401 ? this.refresh() : undefined;
      }
    },
  },
  {
    name: "lets another manager's token go everywhere",
    caughtBy: ANOTHER,
    clause: "origins",
    says: "were [Bearer canary-access-second-2], and not [none].",
    Client: class extends ReferenceClient {
      protected override authorize(sending: Sending) {
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
    says: "The call ended with status 200, and not 401.",
    Client: Blind,
  },
  {
    name: "renews nothing where it is not to repeat the request",
    caughtBy: ONCE,
    clause: "request",
    says: "The 401 of a request that is not retried renewed nothing.",
    Client: class extends ReferenceClient {
      protected override async renew(tried: Tried) {
        return tried.sending.call.settings?.retry === false ? undefined : super.renew(tried);
      }
    },
  },
];
