import { type Attempt, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const COPIED = "retries a 401 of which the caller's own fetch keeps an unread copy";
const NODE_STREAM = "retries a 401 whose body is a Node.js stream";

export const anyFetchMutants: readonly Mutant[] = [
  {
    name: "waits until the body of the first response is canceled",
    caughtBy: COPIED,
    clause: "transparency",
    says: "GET / did not end within 5000 ms.",
    Client: class extends ReferenceClient {
      protected override async discard({ body }: Response) {
        await body?.cancel().catch(() => {});
      }
    },
  },
  {
    name: "reads a copy of the first response, and waits until the other one is read, too",
    caughtBy: COPIED,
    clause: "transparency",
    says: "GET / did not end within 5000 ms.",
    Client: class extends ReferenceClient {
      protected override async renew(attempt: Attempt) {
        await attempt.response.clone().body?.cancel();
        return super.renew(attempt);
      }
    },
  },
  {
    name: "cancels every body as a web stream",
    caughtBy: NODE_STREAM,
    clause: "retry",
    says: "as in node-fetch, failed: body?.cancel is not a function",
    Client: class extends ReferenceClient {
      protected override async discard({ body }: Response) {
        void body?.cancel().catch(() => {});
      }
    },
  },
];
