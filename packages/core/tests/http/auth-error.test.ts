import { describe, expect, it } from "vitest";
import {
  authErrorOf,
  ConfigurationError,
  isAuthError,
  RefreshFailedError,
  SignInRequiredError,
  StoreError,
  TokenEndpointError,
} from "../../src/index.ts";

const errorWith = (properties: object): Error => Object.assign(new Error("x"), properties);
const wrapped = (cause: unknown) => new Error("wrapped by a client", { cause });
const signIn = new SignInRequiredError("revoked");
const down = new RefreshFailedError(0, { cause: new TokenEndpointError({ status: 401, sent: true }) });
const unsaved = new StoreError("STORE_UNAVAILABLE", { location: "a", problem: "is full", hint: "Empty it." });

/** The error of an `await using` block whose body failed with `suppressed`, and its disposal with `error`. */
const disposed = (error: unknown, suppressed: unknown) => errorWith({ name: "SuppressedError", error, suppressed });

/** The errors of a GraphQL response. */
const graphqlErrors = (...codes: readonly string[]) => codes.map((code) => ({ message: "x", extensions: { code } }));

const thrower = (error: object, key: string): object =>
  Object.defineProperty(error, key, {
    get() {
      throw new Error("a getter that throws");
    },
  });

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** An error whose cause is always a new one. */
const endless = (): Error =>
  Object.defineProperty(new Error("x"), "cause", {
    get: endless,
  });

const chainOf = (length: number, end: unknown): unknown => (length === 0 ? end : wrapped(chainOf(length - 1, end)));

describe("isAuthError", () => {
  it.each<[string, unknown]>([
    ["Google", errorWith({ code: 401, response: { status: 401 } })],
    ["Google, older", errorWith({ code: "401" })],
    ["Feathers, MCP", errorWith({ code: 401 })],
    ["MCP, with a status that is missing", errorWith({ status: undefined, statusCode: null, code: 401 })],
    ["tRPC", errorWith({ data: { code: "UNAUTHORIZED", httpStatus: 401 } })],
    ["tRPC, with a response that does not come from it", errorWith({ meta: { response: { status: 401 } } })],
    ["AWS", errorWith({ $metadata: { httpStatusCode: 401 } })],
    ["GraphQL clients", errorWith({ response: { status: 401, errors: [] } })],
    ["Apollo", errorWith({ networkError: errorWith({ statusCode: 401 }) })],
    ["Apollo, with a code", errorWith({ errors: graphqlErrors("OTHER", "UNAUTHENTICATED") })],
    ["Apollo 3 and urql, with a code", errorWith({ graphQLErrors: graphqlErrors("UNAUTHENTICATED") })],
    [
      "graphql-request, with a code",
      errorWith({ response: { status: 200, errors: graphqlErrors("UNAUTHENTICATED") } }),
    ],
    [
      "the AI SDK, after a retry",
      errorWith({ reason: "errorNotRetryable", lastError: errorWith({ statusCode: 401 }) }),
    ],
    ["the same, with our error", errorWith({ lastError: signIn })],
    ["ky, in a cause", wrapped(errorWith({ response: new Response(null, { status: 401 }) }))],
    ["an error of `await using`", disposed(new Error("close"), errorWith({ status: 401 }))],
    ["the same, from closing", disposed(errorWith({ status: 401 }), new Error("body"))],
    ["our error, from closing", disposed(unsaved, signIn)],
    ["a 401 beside an error about closing", disposed(down, errorWith({ status: 401 }))],
    ["the same, in a cause", wrapped(disposed(new Error("close"), wrapped(signIn)))],
    ["an error with a getter that throws", thrower(errorWith({ statusCode: 401 }), "status")],
    ["an error whose response throws", thrower(errorWith({ code: 401 }), "response")],
    ["a long chain", chainOf(9, signIn)],
    ["a 401 that was not retried because the user has to sign in (got)", errorWith({ status: 401, cause: signIn })],
  ])("recognizes a rejected token or a required sign-in: %s", (_name, error) => {
    expect(isAuthError(error)).toBe(true);
  });

  it.each<[string, unknown]>([
    ["a code beside another status", errorWith({ status: 403, code: 401 })],
    ["a code beside a response with another status", errorWith({ response: { status: 500 }, code: 401 })],
    ["a status in a body", errorWith({ status: 500, data: { status: 401, httpStatus: 401 } })],
    [
      "a tRPC error in a batch of others",
      errorWith({ data: { httpStatus: 404 }, meta: { response: { status: 401 } } }),
    ],
    ["another code of GraphQL", errorWith({ errors: graphqlErrors("FORBIDDEN"), response: { status: 200 } })],
    ["errors that are no list", errorWith({ errors: "UNAUTHENTICATED", graphQLErrors: null, response: [] })],
    ["a retry that ended with another error", errorWith({ lastError: errorWith({ statusCode: 503 }) })],
    ["a code that contains 401", errorWith({ code: "E401" })],
    ["a longer code", errorWith({ code: 40_100 })],
    ["an object as its status", errorWith({ status: { toString: () => "401" } })],
    ["a symbol as its status", errorWith({ status: Symbol("401") })],
    ["an error member without a suppressed one", errorWith({ error: { code: 401 } })],
    ["an endpoint that is down", disposed(new Error("close"), down)],
    ["a 401 that was not retried because the endpoint is down (got)", errorWith({ status: 401, cause: down })],
    ["the same, further in", errorWith({ status: 401, cause: wrapped(down) })],
    ["an error whose properties throw", thrower(thrower(new Error("x"), "cause"), "status")],
    ["a revoked proxy", revoked()],
    ["a revoked proxy as a cause", wrapped(revoked())],
    ["an endless chain", endless()],
  ])("recognizes nothing else, and never throws: %s", (_name, error) => {
    expect(isAuthError(error)).toBe(false);
  });
});

describe("authErrorOf", () => {
  it.each<[string, unknown, unknown]>([
    ["itself", signIn, signIn],
    ["its cause", errorWith({ code: "SIGN_IN_REQUIRED", cause: signIn }), signIn],
    ["the cause of its cause", wrapped(wrapped(down)), down],
    ["the nearest one, not the cause of that", wrapped(down), down],
    ["the suppressed one", disposed(new Error("close"), down), down],
    ["the suppressed one before that of closing", disposed(unsaved, signIn), signIn],
    ["that of closing", disposed(unsaved, new Error("body")), unsaved],
    ["the last one of the AI SDK", errorWith({ lastError: down }), down],
    ["a cause beside getters that throw", thrower(wrapped(signIn), "suppressed"), signIn],
    ["none in a client's own 401", errorWith({ status: 401 }), undefined],
    ["none in a look-alike", { code: "SIGN_IN_REQUIRED" }, undefined],
    ["none in a revoked proxy", revoked(), undefined],
    ["none in an endless chain", endless(), undefined],
    ["none in undefined", undefined, undefined],
    ["none in a string", "SIGN_IN_REQUIRED", undefined],
  ])("returns the error of this library: %s", (_name, error, expected) => {
    expect(authErrorOf(error)).toBe(expected);
  });

  it("narrows on code", () => {
    const error = authErrorOf(wrapped(new ConfigurationError("x")));
    expect(error?.code === "SIGN_IN_REQUIRED" ? error.reason : error?.code).toBe("CONFIGURATION");
  });
});
