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
    expect(readError(body, { isOk: false })).toEqual({ error: undefined, description: undefined, ...expected });
  });

  it.each<[string, unknown, object]>([
    ["a number", { code: "40101", message: "b" }, { description: "b" }],
    ["a sentence", { error: "Your refresh token is invalid" }, { description: "Your refresh token is invalid" }],
    ["the text of a status", { error: "Unauthorized", code: "a" }, { error: "a", description: "Unauthorized" }],
    ["a status beside a code", { status: "BAD_REQUEST", error: "invalid_grant" }, { error: "invalid_grant" }],
    ["an unknown status", { status: "BAD_REQUEST", message: "b" }, { description: "b" }],
  ])("does not take %s for the code", (_name, body, expected) => {
    expect(readError(body, { isOk: false })).toEqual({ error: undefined, description: undefined, ...expected });
  });

  it.each<[string, unknown]>([
    ["in another spelling", { error: "invalid grant" }],
    ["in `message`", { message: "invalid_grant" }],
    ["in an array", { error: ["invalid_grant"] }],
    ["in an object", { error: { error: "invalid_grant" } }],
    ["in the first of several errors", { errors: [{ code: "invalid_grant" }] }],
    ["in `errorCode` (Okta)", { errorCode: "invalid_grant", error: "Bad Request" }],
    ["after a code of the API", { error: "bad_request", code: "invalid_grant" }],
  ])("finds a known code %s", (_name, body) => {
    expect(readError(body, { isOk: false }).error).toMatch(/^invalid.grant$/);
    expect(readError(body, { isOk: true }).error).toMatch(/^invalid.grant$/);
  });

  it.each<[string, unknown]>([
    ["a list", { errors: ["Your refresh token is invalid"] }],
    ["a list of messages", { message: ["Your refresh token is invalid"] }],
    ["Okta's summary", { errorSummary: "Your refresh token is invalid" }],
  ])("finds the description in %s", (_name, body) => {
    expect(readError(body, { isOk: false })).toEqual({
      error: undefined,
      description: "Your refresh token is invalid",
    });
  });

  it("adds Entra's second code to the description", () => {
    const body = { error: "invalid_grant", error_description: "b", suberror: "basic_action" };
    expect(readError(body, { isOk: false }).description).toBe("b (basic_action)");
  });

  it("finds no code in a successful response but `error` and known ones", () => {
    for (const body of [
      { code: "0", data: {} },
      { code: "SUCCESS" },
      { status: "token_issued" },
      { error_code: "none" },
    ])
      expect(readError(body, { isOk: true }).error).toBeUndefined();
    expect(readError({ error: "a" }, { isOk: true }).error).toBe("a");
  });
});
