import { UnexpiredError } from "@unexpired/core";
import type { ClientSetup } from "../../../src/index.ts";
import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const ENDED = "throws the token manager's error if a 401 ends the session";
const DOWN = "throws the token manager's error to each of three concurrent callers if the token endpoint is down";
const VALUES = "retries a 401 that the client treats as a success, and returns the second one";
const RULE = "retries the responses that isUnauthorized selects, instead of 401s";

/** Handles refreshes that fail with this code. */
const failing = (code: UnexpiredError["code"], handle: () => undefined) =>
  class extends ReferenceClient {
    protected override async renew(attempt: Attempt) {
      try {
        return await super.renew(attempt);
      } catch (error) {
        if (UnexpiredError.is(error) && error.code === code) return handle();
        throw error;
      }
    }
  };

const failures: readonly Mutant[] = [
  {
    name: "returns the 401 if the session has ended",
    caughtBy: ENDED,
    clause: "refresh",
    says: "The API responded with 401 and the session had ended, but the call did not fail: it ended with status 401.",
    Client: failing("SIGN_IN_REQUIRED", () => undefined),
  },
  {
    name: "throws its own error if the session has ended",
    caughtBy: ENDED,
    clause: "refresh",
    says: "The call threw Error: Session expired instead of the token manager's error with code SIGN_IN_REQUIRED.",
    Client: failing("SIGN_IN_REQUIRED", () => {
      throw new Error("Session expired");
    }),
  },
  {
    name: "returns the 401 if the token endpoint is down",
    caughtBy: DOWN,
    clause: "refresh",
    says: "and the token endpoint was down, but the call did not fail: it ended with status 401.",
    Client: failing("REFRESH_FAILED", () => undefined),
  },
  {
    name: "never wakes the calls that wait for a failed refresh",
    caughtBy: DOWN,
    clause: "transparency",
    says: "GET / did not end within 15000 ms.",
    Client: class extends ReferenceClient {
      #isRenewing = false;
      readonly #waiting: ((header: string | undefined) => void)[] = [];

      protected override async renew(attempt: Attempt) {
        if (this.#isRenewing) return new Promise<string | undefined>((resolve) => this.#waiting.push(resolve));
        this.#isRenewing = true;
        const header = await super.renew(attempt);
        this.#isRenewing = false;
        for (const wake of this.#waiting.splice(0)) wake(header);
        return header;
      }
    },
  },
];

const ways: readonly Mutant[] = [
  {
    name: "checks for a 401 only if the client throws",
    caughtBy: VALUES,
    clause: "retry",
    says: "The call ended with status 401 instead of 200.",
    Client: class extends ReferenceClient {
      protected override async renew(attempt: Attempt) {
        return this.setup.statusValues ? undefined : super.renew(attempt);
      }
    },
  },
  {
    name: "throws for the second 401 although the client should return it",
    caughtBy: VALUES,
    clause: "transparency",
    says: "The client was configured not to throw for a status, but threw for a 401.",
    Client: class extends ReferenceClient {
      protected override async settle(request: PreparedRequest, response: Response) {
        const outcome = await super.settle(request, response);
        return response.status === 401 ? { ...outcome, error: this.errorOf(request, outcome) } : outcome;
      }
    },
  },
  {
    name: "treats only 401s as refusals",
    caughtBy: RULE,
    clause: "retry",
    says: "The call ended with status 419 instead of 200.",
    Client: class extends ReferenceClient {
      constructor(setup: ClientSetup) {
        super({ ...setup, isUnauthorized: undefined });
      }
    },
  },
  {
    name: "calls isUnauthorized for failures only",
    caughtBy: RULE,
    clause: "retry",
    says: "were [Bearer canary-access-1-1] instead of [Bearer canary-access-1-1, Bearer canary-access-1-2].",
    Client: class extends ReferenceClient {
      protected override async isRefusal(response: Response) {
        return response.status >= 400 && super.isRefusal(response);
      }
    },
  },
  {
    name: "treats a 401 as a refusal even if isUnauthorized returns false",
    caughtBy: RULE,
    clause: "retry",
    says: "The number of exchanges was 1 instead of 0.",
    Client: class extends ReferenceClient {
      protected override async isRefusal(response: Response) {
        return response.status === 401 || super.isRefusal(response);
      }
    },
  },
];

export const renewingMutants: readonly Mutant[] = [...failures, ...ways];
