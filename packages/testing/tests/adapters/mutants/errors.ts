import { inspect } from "node:util";
import { UnexpiredError } from "@unexpired/core";
import type { Call, Outcome } from "../../../src/index.ts";
import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const IN_FLIGHT = "keeps the token of another request in flight out of an error, with the caller's own transport";
const FOUND = "throws an error in which authErrorOf finds the token manager's error";
const UNAVAILABLE =
  "throws an error for a 401 while the token endpoint is down that isAuthError does not take for a sign-in";
const RECOGNIZED = "throws an error for a second 401 that isAuthError recognizes";
const DETAILS = "keeps the details of request and response in an error for a status";

/** Adds the request headers to errors of one kind. */
const leaking = ({ is, leak }: Pick<Leaking, "is" | "leak">) =>
  class extends ReferenceClient {
    #headers: Readonly<Record<string, string>> = {};

    protected override withHeader(request: PreparedRequest, header: string) {
      const changed = super.withHeader(request, header);
      this.#headers = Object.fromEntries(changed.headers);
      return changed;
    }

    override async send(call: Call): Promise<Outcome> {
      try {
        const outcome = await super.send(call);
        this.#leak(outcome.error);
        return outcome;
      } catch (error) {
        this.#leak(error);
        throw error;
      }
    }

    #leak(error: unknown) {
      if (error instanceof Error && is(error)) leak(error, this.#headers);
    }
  };

interface Leaking {
  /** The failure of the call, as the case names it. */
  readonly failure: string;
  readonly name: string;
  /** The place in which the case finds the token. */
  readonly where?: string;
  is(error: Error): boolean;
  leak(error: Error, headers: Readonly<Record<string, string>>): unknown;
}

const define = (error: Error, key: PropertyKey, descriptor: PropertyDescriptor) =>
  Object.defineProperty(error, key, { configurable: true, ...descriptor });

/** Adds a getter to the prototype of an error, without an own property. */
const inherit = (error: Error, get: () => unknown) => {
  const parent: object = Object.create(Object.getPrototypeOf(error), { options: { get } });
  Object.setPrototypeOf(error, parent);
};

const responseOf = (error: Error): Outcome | undefined => Reflect.get(error, "response");
const isStream = ({ body }: Outcome) => body instanceof ReadableStream;
const causedBy = ({ cause }: Error): string => String(Reflect.get(Object(cause), "code") ?? cause);

const leaks: readonly Leaking[] = [
  {
    failure: "status 401",
    is: (error) => responseOf(error)?.status === 401,
    name: "the config with its headers",
    leak: (error, headers) => Object.assign(error, { config: { headers } }),
  },
  {
    failure: "status 403",
    is: (error) => responseOf(error)?.status === 403,
    name: "a property that cannot be enumerated",
    leak: (error, headers) => define(error, "config", { value: { headers } }),
  },
  {
    failure: "status 500",
    is: (error) => responseOf(error)?.status === 500 && !isStream(responseOf(error) ?? { status: 0 }),
    name: "its toJSON()",
    where: "JSON.stringify",
    leak: (error, headers) => define(error, "toJSON", { value: () => ({ headers }) }),
  },
  {
    failure: "status 500 with a streamed body",
    is: (error) => isStream(responseOf(error) ?? { status: 0 }),
    name: "a getter of its class",
    where: "its options",
    leak: (error, headers) => inherit(error, () => ({ headers })),
  },
  {
    failure: "a connection closed before the response",
    is: (error) => error.message === "fetch failed" && causedBy(error) === "UND_ERR_SOCKET",
    name: "the text of the request",
    leak: (error, headers) => Object.assign(error, { _header: `GET / HTTP/1.1\r\n${inspect(headers)}` }),
  },
  {
    failure: "a connection closed in the middle of the response",
    is: (error) => error.message === "terminated",
    name: "its cause",
    leak: (error, headers) => define(error, "cause", { value: { request: { headers } } }),
  },
  {
    failure: "a refused connection",
    is: (error) => causedBy(error) === "ECONNREFUSED",
    name: "its message",
    leak: (error, headers) => define(error, "message", { value: `Failed with ${JSON.stringify(headers)}` }),
  },
  {
    failure: "too many redirects",
    is: (error) => causedBy(error).includes("redirect"),
    name: "its stack",
    leak: (error, headers) => define(error, "stack", { value: `${error.stack}\n${JSON.stringify(headers)}` }),
  },
  {
    failure: "an abort",
    is: (error) => error.name === "AbortError",
    name: "a list of the headers",
    leak: (error, headers) => Object.assign(error, { rawHeaders: Object.entries(headers).flat() }),
  },
  {
    failure: "a timeout of the client",
    is: (error) => error.name === "TimeoutError",
    name: "a deeply nested Map of the headers",
    leak: (error, headers) =>
      Object.assign(error, { context: { request: { options: { headers: new Map(Object.entries(headers)) } } } }),
  },
  {
    failure: "a refresh that ends the session",
    is: (error) => UnexpiredError.is(error),
    name: "the 401 that led to the refresh",
    leak: (error, headers) => Object.assign(error, { response: { status: 401, request: { headers } } }),
  },
];

const leaked = leaks.map(
  ({ failure, name, where = "util.inspect", is, leak }): Mutant => ({
    name: `shows the token in the error for ${failure}: in ${name}`,
    caughtBy: `keeps tokens out of the error for ${failure}`,
    clause: "error",
    says: `The call failed with ${failure}, and the error reveals a token in ${where}.`,
    Client: leaking({ is, leak }),
  }),
);

/** Changes the outcome for a status. */
const failingWith = (change: (outcome: Outcome) => Partial<Outcome>) =>
  class extends ReferenceClient {
    protected override async settle(request: PreparedRequest, response: Response) {
      const outcome = await super.settle(request, response);
      return { ...outcome, ...change(outcome) };
    }
  };

const shown: readonly Mutant[] = [
  {
    name: "shows the transport in its errors, with all requests in flight",
    caughtBy: IN_FLIGHT,
    clause: "error",
    says: "while another one was in flight, and the error reveals a token in util.inspect.",
    Client: class extends ReferenceClient {
      protected override errorOf(request: PreparedRequest, outcome: Outcome) {
        return Object.assign(super.errorOf(request, outcome), { agent: this.dispatcher });
      }
    },
  },
  {
    name: "references all requests in flight from its errors",
    caughtBy: IN_FLIGHT,
    clause: "error",
    says: "while another one was in flight, and the error reveals a token in util.inspect.",
    Client: class extends ReferenceClient {
      readonly inFlight = new Set<string | undefined>();

      protected override async renew(attempt: Attempt) {
        this.inFlight.delete(attempt.authorization.header + attempt.request.url);
        return super.renew(attempt);
      }

      protected override withHeader(request: PreparedRequest, header: string) {
        this.inFlight.add(header + request.url);
        return super.withHeader(request, header);
      }

      protected override errorOf(request: PreparedRequest, outcome: Outcome) {
        return Object.assign(super.errorOf(request, outcome), { client: this });
      }
    },
  },
  {
    name: "removes the body from the error for a status",
    caughtBy: DETAILS,
    clause: "transparency",
    says: "The body of a 500 differs from what the server sent.",
    Client: failingWith(() => ({ body: undefined })),
  },
  {
    name: "throws no error for a status",
    caughtBy: DETAILS,
    clause: "transparency",
    says: "The client did not throw for a 500.",
    Client: failingWith(() => ({ error: undefined })),
  },
  {
    name: "empties the request in the error for a status",
    caughtBy: DETAILS,
    clause: "error",
    says: "The error's request does not show the method, the URL and the status.",
    Client: failingWith(({ error }) => ({ error: error && Object.assign(error, { request: {} }) })),
  },
  {
    name: "empties the request in the response of the error for a status",
    caughtBy: DETAILS,
    clause: "error",
    says: "The error's response.request does not show the method, the URL and the status.",
    Client: failingWith(({ error }) => ({ error: error && Object.assign(error, { response: { request: {} } }) })),
  },
];

const wrapped: readonly Mutant[] = [
  {
    name: "keeps the token manager's error in a property of its own",
    caughtBy: FOUND,
    clause: "refresh",
    says: "and the call threw Error: The request failed, in which authErrorOf finds no such error.",
    Client: class extends ReferenceClient {
      protected override authorize(request: PreparedRequest) {
        return super.authorize(request).catch((original: unknown) => {
          throw Object.assign(new Error("The request failed"), { original });
        });
      }
    },
  },
  {
    name: "throws its own error for a 401 if the refresh failed",
    caughtBy: UNAVAILABLE,
    clause: "refresh",
    says: "and the call threw Error: Unauthorized, after which isAuthError asks for a sign-in.",
    Client: class extends ReferenceClient {
      override send(call: Call): Promise<Outcome> {
        return super.send(call).catch(() => {
          throw Object.assign(new Error("Unauthorized"), { status: 401 });
        });
      }
    },
  },
  {
    name: "throws an error without a status for a 401",
    caughtBy: RECOGNIZED,
    clause: "retry",
    says: "The call threw Error: Unauthorized, which isAuthError does not recognize as a 401.",
    Client: failingWith(({ error }) => ({ error: error && new Error("Unauthorized") })),
  },
];

export const errorMutants: readonly Mutant[] = [...leaked, ...shown, ...wrapped];
