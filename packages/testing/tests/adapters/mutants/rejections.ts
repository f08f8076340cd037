import { type Attempt, ReferenceClient } from "../reference-client.ts";
import { type Mutant, withResponseInfo } from "./mutant.ts";

const LIMITED = "retries a status that the token source names, once, and tells the source what the response said";

export const rejectionMutants: readonly Mutant[] = [
  {
    name: "passes only 401s on to the authorizer",
    caughtBy: LIMITED,
    clause: "retry",
    says: "were [Bearer canary-access-1] instead of [Bearer canary-access-1, Bearer canary-access-2].",
    Client: class extends ReferenceClient {
      protected override async renew(attempt: Attempt) {
        return attempt.response.status === 401 ? super.renew(attempt) : undefined;
      }
    },
  },
  {
    name: "passes every rejection on as a 401",
    caughtBy: LIMITED,
    clause: "retry",
    says: "were [Bearer canary-access-1] instead of [Bearer canary-access-1, Bearer canary-access-2].",
    Client: withResponseInfo(({ status }) => (status === 429 ? { status: 401 } : {})),
  },
  {
    name: "keeps Retry-After from the source",
    caughtBy: LIMITED,
    clause: "retry",
    says: "The source was told the Retry-After null.",
    Client: withResponseInfo(() => ({ headers: {} })),
  },
];
