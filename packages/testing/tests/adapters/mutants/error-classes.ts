import type { Call, Outcome } from "../../../src/index.ts";
import { type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const SAME = "throws errors of the same classes as the client without the adapter";

/** The class of another copy of the client. */
class OtherCopyError extends Error {}

/** Returns an error of another copy of the client, with the same properties. */
const copied = (error: unknown) => Object.assign(new OtherCopyError(Object(error).message), error);

export const errorClassMutants: readonly Mutant[] = [
  {
    name: "sends requests through another copy of the client",
    caughtBy: SAME,
    clause: "transparency",
    says: "The call threw Error: Status 500, whose class is not that of the client's own error, Error: Status 500.",
    Client: class extends ReferenceClient {
      protected override errorOf(request: PreparedRequest, outcome: Outcome) {
        const error = super.errorOf(request, outcome);
        return this.authorizer ? copied(error) : error;
      }
    },
  },
  {
    name: "wraps the errors of failed connections",
    caughtBy: SAME,
    clause: "transparency",
    says: "The call threw Error: fetch failed, whose class is not that of the client's own error, TypeError: fetch failed.",
    Client: class extends ReferenceClient {
      override send(call: Call) {
        if (!this.authorizer) return super.send(call);
        return super.send(call).catch((error: unknown) => {
          throw copied(error);
        });
      }
    },
  },
];
