import { describe, expect, it } from "vitest";
import { readError } from "../../src/token-endpoint/error-response.ts";

describe("an error body", () => {
  it.each<[string, unknown, object]>([
    ["of RFC 6749", { error: "a", error_description: "b" }, { error: "a", description: "b" }],
    ["with an object: its code", { error: { code: "a", type: "b", message: "c" } }, { error: "a", description: "c" }],
    ["with an object: its type", { error: { type: "b" }, error_code: "c" }, { error: "b" }],
    [
      "with error_code and msg",
      { error_code: "a", code: "b", msg: "c", message: "d" },
      { error: "a", description: "c" },
    ],
    ["with code and message", { code: "a", message: "b" }, { error: "a", description: "b" }],
    [
      "with empty and foreign values",
      { error: "", error_code: 7, code: "a", msg: "", message: "b" },
      { error: "a", description: "b" },
    ],
    [
      "with a status that is a code",
      { status: "BAD_REFRESH_TOKEN", error: "invalid_request" },
      { error: "BAD_REFRESH_TOKEN" },
    ],
    ["with another status", { status: "error", message: "b" }, { description: "b" }],
    ["with errors (Fitbit)", { errors: [{ errorType: "a", message: "b" }] }, { error: "a", description: "b" }],
    ["with errors (Strava)", { message: "b", errors: [{ field: "c", code: "d" }] }, { description: "b (c d)" }],
    [
      "of AWS",
      { __type: "com.amazonaws.x#NotAuthorizedException", message: "b" },
      { error: "NotAuthorizedException", description: "b" },
    ],
    ["with a detail", { detail: "b" }, { description: "b" }],
    ["that is text", "invalid_grant", {}],
    ["that is null", null, {}],
    ["with an error that is null", { error: null, code: "a" }, { error: "a" }],
  ])("provides the code and the description: %s", (_name, body, expected) => {
    expect(readError(body)).toEqual({ error: undefined, description: undefined, ...expected });
  });
});
