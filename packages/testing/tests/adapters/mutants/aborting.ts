import type { Call } from "../../../src/index.ts";
import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const BEFORE = "sends nothing if the caller has already aborted";
const DURING = "ends the call immediately if the caller aborts during ";

/** A client that can ignore the caller's signal, but keeps its own timeout. */
class IgnoringAbort extends ReferenceClient {
  protected withoutCallerSignal(request: PreparedRequest): PreparedRequest {
    return { ...request, signal: this.signalOf({ ...request.call, signal: undefined }) };
  }
}

export const abortMutants: readonly Mutant[] = [
  {
    name: "listens for an abort, but does not check for an earlier one",
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
    name: "checks for an abort only after sending the request",
    caughtBy: BEFORE,
    clause: "abort",
    says: "The Authorization headers that the server received were [Bearer canary-access-1] instead of [].",
    Client: class extends IgnoringAbort {
      protected override async exchange(request: PreparedRequest) {
        const response = await super.exchange(this.withoutCallerSignal(request));
        request.signal.throwIfAborted();
        return response;
      }
    },
  },
  {
    name: "throws its own error for an abort",
    caughtBy: `${DURING}the request`,
    clause: "abort",
    says: "but the call threw Error: The request was canceled, which is not the client's own error.",
    Client: class extends ReferenceClient {
      protected override async sendWithRetries(request: PreparedRequest) {
        return super.sendWithRetries(request).catch((cause: unknown) => {
          throw request.call.signal?.aborted ? new Error("The request was canceled", { cause }) : cause;
        });
      }

      protected override retry(request: PreparedRequest, header: string) {
        return super.sendWithRetries(this.withHeader(request, header));
      }
    },
  },
  {
    name: "sends the first attempt without the caller's signal",
    caughtBy: `${DURING}the request`,
    clause: "abort",
    says: "The caller aborted during the request, but the call had not ended 5000 ms later.",
    Client: class extends IgnoringAbort {
      protected override sendWithRetries(request: PreparedRequest) {
        return super.sendWithRetries(this.withoutCallerSignal(request));
      }

      protected override retry(request: PreparedRequest, header: string) {
        return super.sendWithRetries(this.withHeader(request, header));
      }
    },
  },
  {
    name: "waits for the refresh after a 401 without the caller's signal",
    caughtBy: `${DURING}the refresh after a 401, and lets the refresh finish`,
    clause: "abort",
    says: "The caller aborted during the refresh, but the call had not ended 5000 ms later.",
    Client: class extends IgnoringAbort {
      protected override async authorize(request: PreparedRequest) {
        await super.authorize(request);
        return super.authorize(this.withoutCallerSignal(request));
      }
    },
  },
  {
    name: "throws its own error if the refresh after a 401 is aborted",
    caughtBy: `${DURING}the refresh after a 401, and lets the refresh finish`,
    clause: "abort",
    says: "but the call threw Error: Could not refresh the token, which is not the client's own error.",
    Client: class extends ReferenceClient {
      protected override async renew(attempt: Attempt) {
        return super.renew(attempt).catch((cause: unknown) => {
          throw attempt.request.signal.aborted ? new Error("Could not refresh the token", { cause }) : cause;
        });
      }
    },
  },
  {
    name: "waits for the token before the request without the caller's signal",
    caughtBy: `${DURING}the refresh before the request, and lets the refresh finish`,
    clause: "abort",
    says: "The caller aborted during the refresh, but the call had not ended 5000 ms later.",
    Client: class extends IgnoringAbort {
      protected override async authorize(request: PreparedRequest) {
        await super.authorize(this.withoutCallerSignal(request));
        return super.authorize(request);
      }
    },
  },
  {
    name: "sends the retry without the caller's signal",
    caughtBy: `${DURING}the retry`,
    clause: "abort",
    says: "The caller aborted during the retry, but the call had not ended 5000 ms later.",
    Client: class extends IgnoringAbort {
      protected override retry(request: PreparedRequest, header: string) {
        return super.retry(this.withoutCallerSignal(request), header);
      }
    },
  },
  {
    name: "throws its own error for an abort during the retry",
    caughtBy: `${DURING}the retry`,
    clause: "abort",
    says: "but the call threw Error: Retry failed, which is not the client's own error.",
    Client: class extends ReferenceClient {
      protected override retry(request: PreparedRequest, header: string) {
        return super.retry(request, header).catch((cause: unknown) => {
          throw request.call.signal?.aborted ? new Error("Retry failed", { cause }) : cause;
        });
      }
    },
  },
];
