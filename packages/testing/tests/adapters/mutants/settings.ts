import { createAuthorizer } from "@unexpired/core/adapter";
import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import { ManagedClient, type Mutant } from "./mutant.ts";

const WITHOUT = "sends one request without the token with perRequest({ tokens: false }), and does not retry its 401";
const ANOTHER = "sends and refreshes another manager's token for one request with perRequest({ tokens })";
const ONCE = "returns a 401 immediately with perRequest({ retry: false }), and refreshes the token for the next call";

/** A client that ignores the options of a single request. */
class IgnoringRequestOptions extends ReferenceClient {
  protected override authorize(request: PreparedRequest) {
    return super.authorize({ ...request, call: { ...request.call, settings: undefined } });
  }
}

export const settingsMutants: readonly Mutant[] = [
  {
    name: "sends the token with a request that opted out",
    caughtBy: WITHOUT,
    clause: "request",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [none].",
    Client: IgnoringRequestOptions,
  },
  {
    name: "sends no token from then on",
    caughtBy: WITHOUT,
    clause: "request",
    says: "were [none, none] instead of [none, Bearer canary-access-1].",
    Client: class extends ReferenceClient {
      protected override authorize(request: PreparedRequest) {
        if (request.call.settings?.tokens === false) this.detach();
        return super.authorize(request);
      }
    },
  },
  {
    name: "refreshes its own token instead of the other manager's",
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
    name: "sends another manager's token to every origin",
    caughtBy: ANOTHER,
    clause: "origins",
    says: "were [Bearer canary-access-second-2] instead of [none].",
    Client: class extends ReferenceClient {
      protected override authorize(request: PreparedRequest) {
        const { tokens } = request.call.settings ?? {};
        if (!tokens) return super.authorize(request);
        return createAuthorizer(tokens, { origins: () => true }).authorize(request);
      }
    },
  },
  {
    name: "retries a request that opted out of the retry",
    caughtBy: ONCE,
    clause: "request",
    says: "The call ended with status 200 instead of 401.",
    Client: IgnoringRequestOptions,
  },
  {
    name: "refreshes nothing for a request that opted out of the retry",
    caughtBy: ONCE,
    clause: "request",
    says: "The 401 of a request that is not retried did not refresh the token.",
    Client: class extends ReferenceClient {
      protected override async renew(attempt: Attempt) {
        return attempt.request.call.settings?.retry === false ? undefined : super.renew(attempt);
      }
    },
  },
];
