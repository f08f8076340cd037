import type { Call } from "../../../src/index.ts";
import { ReferenceClient, type Sending, type Tried } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const BEFORE = "sends nothing where the caller has aborted before";
const DURING = "ends the call at once where the caller aborts during ";

/** Does without the caller's signal, and keeps the client's own. */
class Deaf extends ReferenceClient {
  protected deafen(sending: Sending): Sending {
    return { ...sending, signal: this.signalOf({ ...sending.call, signal: undefined }) };
  }
}

export const abortMutants: readonly Mutant[] = [
  {
    name: "listens for an abort, and does not look whether there was one",
    caughtBy: BEFORE,
    clause: "abort",
    says: "The caller aborted before, and the call did not fail: it ended with status 200.",
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
    says: "The Authorization headers that the server saw were [Bearer canary-access-1], and not [].",
    Client: class extends Deaf {
      protected override async exchange(sending: Sending) {
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
    says: "and the call threw Error: The request was canceled, which is not the client's own error.",
    Client: class extends ReferenceClient {
      protected override async attempts(sending: Sending) {
        return super.attempts(sending).catch((cause: unknown) => {
          throw sending.call.signal?.aborted ? new Error("The request was canceled", { cause }) : cause;
        });
      }

      protected override again(sending: Sending, header: string) {
        return super.attempts(this.withHeader(sending, header));
      }
    },
  },
  {
    name: "sends the first try without the caller's signal",
    caughtBy: `${DURING}the request`,
    clause: "abort",
    says: "The caller aborted during the request, and the call had not ended 5000 ms later.",
    Client: class extends Deaf {
      protected override attempts(sending: Sending) {
        return super.attempts(this.deafen(sending));
      }

      protected override again(sending: Sending, header: string) {
        return super.attempts(this.withHeader(sending, header));
      }
    },
  },
  {
    name: "waits for the renewal after a 401 without the caller's signal",
    caughtBy: `${DURING}the renewal after a 401; the renewal goes on`,
    clause: "abort",
    says: "The caller aborted during the renewal, and the call had not ended 5000 ms later.",
    Client: class extends Deaf {
      protected override async authorize(sending: Sending) {
        await super.authorize(sending);
        return super.authorize(this.deafen(sending));
      }
    },
  },
  {
    name: "says in words of its own that the renewal after a 401 was aborted",
    caughtBy: `${DURING}the renewal after a 401; the renewal goes on`,
    clause: "abort",
    says: "and the call threw Error: Could not renew the token, which is not the client's own error.",
    Client: class extends ReferenceClient {
      protected override async renew(tried: Tried) {
        return super.renew(tried).catch((cause: unknown) => {
          throw tried.sending.signal.aborted ? new Error("Could not renew the token", { cause }) : cause;
        });
      }
    },
  },
  {
    name: "waits for the token before the request without the caller's signal",
    caughtBy: `${DURING}the renewal before the request; the renewal goes on`,
    clause: "abort",
    says: "The caller aborted during the renewal, and the call had not ended 5000 ms later.",
    Client: class extends Deaf {
      protected override async authorize(sending: Sending) {
        await super.authorize(this.deafen(sending));
        return super.authorize(sending);
      }
    },
  },
  {
    name: "sends the second try without the caller's signal",
    caughtBy: `${DURING}the second try`,
    clause: "abort",
    says: "The caller aborted during the second try, and the call had not ended 5000 ms later.",
    Client: class extends Deaf {
      protected override again(sending: Sending, header: string) {
        return super.again(this.deafen(sending), header);
      }
    },
  },
  {
    name: "makes an error of its own of an abort during the second try",
    caughtBy: `${DURING}the second try`,
    clause: "abort",
    says: "and the call threw Error: Retry failed, which is not the client's own error.",
    Client: class extends ReferenceClient {
      protected override again(sending: Sending, header: string) {
        return super.again(sending, header).catch((cause: unknown) => {
          throw sending.call.signal?.aborted ? new Error("Retry failed", { cause }) : cause;
        });
      }
    },
  },
];
