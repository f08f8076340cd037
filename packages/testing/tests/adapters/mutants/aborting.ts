import type { Call } from "../../../src/index.ts";
import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const BEFORE = "sends nothing if the caller has already aborted";
const DURING = "ends the call immediately if the caller aborts during ";

/** Does without the caller's signal, and keeps the client's own. */
class Deaf extends ReferenceClient {
  protected deafen(sending: PreparedRequest): PreparedRequest {
    return { ...sending, signal: this.signalOf({ ...sending.call, signal: undefined }) };
  }
}

export const abortMutants: readonly Mutant[] = [
  {
    name: "listens for an abort, and does not look whether there was one",
    caughtBy: BEFORE,
    clause: "abort",
    says: "The caller aborted before the call, but the call did not fail: it ended with status 200.",
    Client: class extends ReferenceClient {
      protected override signalOf(call: Call) {
        const { signal } = call;
        const relay = new AbortController();
        signal?.addEventListener("abort", () => relay.abort(signal.reason));
        return AbortSignal.any([relay.signal, super.signalOf({ ...call, signal: undefined })]);
      }
    },
  },
  {
    name: "looks for an abort when the request was sent",
    caughtBy: BEFORE,
    clause: "abort",
    says: "The Authorization headers that the server received were [Bearer canary-access-1] instead of [].",
    Client: class extends Deaf {
      protected override async exchange(sending: PreparedRequest) {
        const response = await super.exchange(this.deafen(sending));
        sending.signal.throwIfAborted();
        return response;
      }
    },
  },
  {
    name: "makes an error of its own of an abort",
    caughtBy: `${DURING}the request`,
    clause: "abort",
    says: "but the call threw Error: The request was canceled, which is not the client's own error.",
    Client: class extends ReferenceClient {
      protected override async sendWithRetries(sending: PreparedRequest) {
        return super.sendWithRetries(sending).catch((cause: unknown) => {
          throw sending.call.signal?.aborted ? new Error("The request was canceled", { cause }) : cause;
        });
      }

      protected override retry(sending: PreparedRequest, header: string) {
        return super.sendWithRetries(this.withHeader(sending, header));
      }
    },
  },
  {
    name: "sends the first try without the caller's signal",
    caughtBy: `${DURING}the request`,
    clause: "abort",
    says: "The caller aborted during the request, but the call had not ended 5000 ms later.",
    Client: class extends Deaf {
      protected override sendWithRetries(sending: PreparedRequest) {
        return super.sendWithRetries(this.deafen(sending));
      }

      protected override retry(sending: PreparedRequest, header: string) {
        return super.sendWithRetries(this.withHeader(sending, header));
      }
    },
  },
  {
    name: "waits for the renewal after a 401 without the caller's signal",
    caughtBy: `${DURING}the renewal after a 401, and lets the renewal finish`,
    clause: "abort",
    says: "The caller aborted during the renewal, but the call had not ended 5000 ms later.",
    Client: class extends Deaf {
      protected override async authorize(sending: PreparedRequest) {
        await super.authorize(sending);
        return super.authorize(this.deafen(sending));
      }
    },
  },
  {
    name: "says in words of its own that the renewal after a 401 was aborted",
    caughtBy: `${DURING}the renewal after a 401, and lets the renewal finish`,
    clause: "abort",
    says: "but the call threw Error: Could not renew the token, which is not the client's own error.",
    Client: class extends ReferenceClient {
      protected override async renew(tried: Attempt) {
        return super.renew(tried).catch((cause: unknown) => {
          throw tried.sending.signal.aborted ? new Error("Could not renew the token", { cause }) : cause;
        });
      }
    },
  },
  {
    name: "waits for the token before the request without the caller's signal",
    caughtBy: `${DURING}the renewal before the request, and lets the renewal finish`,
    clause: "abort",
    says: "The caller aborted during the renewal, but the call had not ended 5000 ms later.",
    Client: class extends Deaf {
      protected override async authorize(sending: PreparedRequest) {
        await super.authorize(this.deafen(sending));
        return super.authorize(sending);
      }
    },
  },
  {
    name: "sends the second try without the caller's signal",
    caughtBy: `${DURING}the retry`,
    clause: "abort",
    says: "The caller aborted during the retry, but the call had not ended 5000 ms later.",
    Client: class extends Deaf {
      protected override retry(sending: PreparedRequest, header: string) {
        return super.retry(this.deafen(sending), header);
      }
    },
  },
  {
    name: "makes an error of its own of an abort during the second try",
    caughtBy: `${DURING}the retry`,
    clause: "abort",
    says: "but the call threw Error: Retry failed, which is not the client's own error.",
    Client: class extends ReferenceClient {
      protected override retry(sending: PreparedRequest, header: string) {
        return super.retry(sending, header).catch((cause: unknown) => {
          throw sending.call.signal?.aborted ? new Error("Retry failed", { cause }) : cause;
        });
      }
    },
  },
];
