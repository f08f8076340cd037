import { expect, it } from "vitest";
import { isUnsent } from "../../src/index.ts";
import { isUnsent as isUnsentOfGrant } from "../../src/oauth2.ts";

const refused = Object.assign(new Error("x"), { syscall: "connect", code: "ECONNREFUSED" });
const failing = {
  get cause(): unknown {
    throw new Error("no");
  },
};

it.each<[string, unknown, boolean]>([
  ["a refused connection", refused, true],
  ["the error of fetch about one", new TypeError("fetch failed", { cause: refused }), true],
  ["an unknown host", Object.assign(new Error("x"), { syscall: "getaddrinfo" }), true],
  ["a connection that timed out", Object.assign(new Error("x"), { code: "UND_ERR_CONNECT_TIMEOUT" }), true],
  ["several refused connections", new AggregateError([refused, refused]), true],
  ["several failures, one after sending", new AggregateError([refused, new Error("reset")]), false],
  ["a reset connection", Object.assign(new Error("x"), { syscall: "read", code: "ECONNRESET" }), false],
  ["a deadline", new DOMException("x", "TimeoutError"), false],
  ["an error whose cause cannot be read", failing, false],
  ["no error", undefined, false],
])("tells a refresh function whether its request was certainly not sent: %s", (_name, error, expected) => {
  expect(isUnsent(error)).toBe(expected);
  expect(isUnsentOfGrant).toBe(isUnsent);
});
