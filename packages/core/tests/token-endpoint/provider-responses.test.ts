/**
 * Error responses of real token endpoints, read by `oauth2Refresh` and judged with the profile of their server. The shapes
 * and codes are as documented or reported; descriptions are abridged.
 */
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { type ProviderProfile, providers } from "../../src/index.ts";
import { parseOptions } from "../../src/manager/options.ts";
import { oauth2Refresh } from "../../src/oauth2.ts";
import { classifyError, classifyResponse, type Outcome } from "../../src/refresh/classify.ts";
import { reasonOf } from "../../src/refresh/verdict.ts";
import { genericProvider } from "../../src/token-endpoint/providers.ts";
import { printed } from "../support/leaks.ts";
import { respondWith, startServer } from "../support/server.ts";

type Name = keyof typeof providers;

const REFRESH_TOKEN = canary("refresh", 1);
const LISTS = ["terminal", "interaction", "misconfigured", "transient", "lost"] as const;

const oauth = (error: string, error_description?: string) => ({ error, error_description });
const strava = (resource: string, field: string) => ({
  message: "Bad Request",
  errors: [{ resource, field, code: "invalid" }],
});
const fitbit = (errorType: string, message: string) => ({ errors: [{ errorType, message }], success: false });
const cognito = (type: string, message: string) => ({ __type: type, message });

/** Profile, status, body, verdict: for a terminal one, its reason. */
type Row = readonly [Name, number, unknown, string];

const rows: readonly Row[] = [
  ["generic", 400, oauth("invalid_grant"), "session_expired"],
  ["strict", 400, oauth("invalid_grant"), "session_expired"],

  ["auth0", 403, oauth("invalid_grant", "Unknown or invalid refresh token."), "session_expired"],
  ["auth0", 401, oauth("access_denied", "Unauthorized"), "misconfigured"],
  ["auth0", 429, oauth("too_many_requests", "Global limit has been reached"), "transient"],

  ["okta", 400, oauth("invalid_grant", "The refresh token is invalid or expired."), "session_expired"],
  [
    "okta",
    401,
    { errorCode: "invalid_client", errorSummary: "Invalid value for 'client_id' parameter.", errorCauses: [] },
    "misconfigured",
  ],
  [
    "okta",
    401,
    oauth("invalid_client", "The client secret supplied for a confidential client is invalid."),
    "misconfigured",
  ],

  ["keycloak", 400, oauth("invalid_grant", "Session not active"), "session_expired"],
  ["keycloak", 400, oauth("invalid_grant", "Maximum allowed refresh token reuse exceeded"), "refresh_token_reused"],
  ["keycloak", 401, oauth("unauthorized_client", "Invalid client or Invalid client credentials"), "misconfigured"],

  ["workos", 400, oauth("invalid_grant", "Session has already ended."), "session_expired"],
  ["workos", 400, oauth("sso_required"), "session_expired"],
  ["workos", 403, { code: "mfa_enrollment", message: "…" }, "session_expired"],

  [
    "supabase",
    400,
    { code: 400, error_code: "refresh_token_not_found", msg: "Invalid Refresh Token: Refresh Token Not Found" },
    "session_expired",
  ],
  [
    "supabase",
    400,
    { code: 400, error_code: "refresh_token_already_used", msg: "Invalid Refresh Token: Already Used" },
    "refresh_token_reused",
  ],
  [
    "supabase",
    400,
    { code: 400, error_code: "session_expired", msg: "Invalid Refresh Token: Session Expired" },
    "session_expired",
  ],
  ["supabase", 403, { code: 403, error_code: "session_not_found", msg: "Session not found" }, "session_expired"],
  ["supabase", 403, { code: 403, error_code: "user_not_found", msg: "User not found" }, "session_expired"],
  ["supabase", 429, { code: 429, error_code: "over_request_rate_limit", msg: "Too many requests" }, "transient"],

  ["cognito", 400, cognito("NotAuthorizedException", "Refresh Token has expired"), "session_expired"],
  ["cognito", 400, cognito("NotAuthorizedException", "Refresh Token has been revoked"), "revoked"],
  ["cognito", 400, cognito("NotAuthorizedException", "Invalid Refresh Token"), "session_expired"],
  ["cognito", 400, cognito("NotAuthorizedException", "Unable to verify secret hash for client 1h57"), "misconfigured"],
  ["cognito", 400, cognito("RefreshTokenReuseException", "Refresh token has been invalidated"), "refresh_token_reused"],
  ["cognito", 400, cognito("ResourceNotFoundException", "User pool client 1h57 does not exist."), "misconfigured"],
  ["cognito", 400, cognito("InvalidParameterException", "Missing required parameter ClientId"), "misconfigured"],
  ["cognito", 400, cognito("TooManyRequestsException", "Rate exceeded"), "transient"],
  ["cognito", 500, cognito("InternalErrorException", "Something went wrong"), "lost"],
  ["cognito", 400, oauth("invalid_grant"), "session_expired"], // its /oauth2/token

  [
    "github",
    200,
    {
      ...oauth("bad_refresh_token", "The refresh token passed is incorrect or expired."),
      error_uri: "https://docs.github.com",
    },
    "session_expired",
  ],
  [
    "github",
    200,
    oauth("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect."),
    "misconfigured",
  ],

  ["google", 400, oauth("invalid_grant", "Token has been expired or revoked."), "session_expired"],
  ["google", 401, oauth("invalid_client", "The OAuth client was not found."), "misconfigured"],
  ["google", 401, oauth("deleted_client", "The OAuth client was deleted."), "misconfigured"],

  ["linear", 400, oauth("invalid_grant"), "session_expired"],

  ["salesforce", 400, oauth("invalid_grant", "expired access/refresh token"), "session_expired"],
  ["salesforce", 400, oauth("invalid_grant", "token request is already being processed"), "transient"],
  ["salesforce", 400, oauth("invalid_grant", "IP restricted or invalid login hours"), "transient"],
  ["salesforce", 400, oauth("rate_limit_exceeded", "number of logins exceeded"), "transient"],
  ["salesforce", 400, oauth("inactive_user", "user is inactive"), "interaction"],
  ["salesforce", 400, oauth("inactive_org", "org is locked, closed, or suspended"), "interaction"],
  ["salesforce", 400, oauth("invalid_client_id", "client identifier invalid"), "misconfigured"],
  ["salesforce", 400, oauth("invalid_client", "invalid client credentials"), "misconfigured"],
  ["salesforce", 400, oauth("invalid_app_access", "user is not admin approved to access this app"), "misconfigured"],

  [
    "entra",
    400,
    {
      ...oauth("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity. Trace ID: 0000aaaa"),
      error_codes: [700082],
      trace_id: "0000aaaa",
    },
    "session_expired",
  ],
  [
    "entra",
    400,
    {
      ...oauth(
        "interaction_required",
        "AADSTS50076: Due to a configuration change … you must use multi-factor authentication",
      ),
      suberror: "basic_action",
    },
    "interaction",
  ],
  [
    "entra",
    400,
    oauth(
      "invalid_grant",
      "AADSTS50196: The server terminated an operation because it encountered a client request loop.",
    ),
    "transient",
  ],
  ...["basic_action", "additional_action", "message_only", "consent_required"].map(
    (suberror): Row => ["entra", 400, { ...oauth("invalid_grant", "AADSTS50173: fresh"), suberror }, "interaction"],
  ),
  ["entra", 400, { ...oauth("invalid_grant", "AADSTS70000: bad"), suberror: "bad_token" }, "session_expired"],
  ["entra", 401, oauth("invalid_client", "AADSTS7000215: Invalid client secret provided."), "misconfigured"],
  [
    "entra",
    400,
    oauth("unauthorized_client", "AADSTS700016: Application was not found in the directory."),
    "misconfigured",
  ],
  ["entra", 400, oauth("invalid_resource", "AADSTS500011: The resource principal was not found."), "misconfigured"],
  ["entra", 503, oauth("temporarily_unavailable", "AADSTS90033: A transient error has occurred."), "transient"],

  ["atlassian", 403, oauth("unauthorized_client", "refresh_token is invalid"), "session_expired"],
  ["atlassian", 403, oauth("invalid_grant", "Unknown or invalid refresh token."), "session_expired"],
  ["atlassian", 401, oauth("access_denied", "Unauthorized"), "misconfigured"],

  ["hubspot", 400, { status: "BAD_REFRESH_TOKEN", message: "missing or invalid refresh token" }, "session_expired"],
  [
    "hubspot",
    400,
    {
      ...oauth("invalid_grant", "refresh token is invalid, expired or revoked"),
      status: "BAD_REFRESH_TOKEN",
      message: "refresh token is invalid, expired or revoked",
    },
    "session_expired",
  ],
  ["hubspot", 400, { status: "BAD_CLIENT_ID", message: "missing or unknown client id" }, "misconfigured"],
  ["hubspot", 400, { status: "BAD_CLIENT_SECRET" }, "misconfigured"],
  [
    "hubspot",
    400,
    {
      ...oauth("invalid_request", "missing or unknown client id"),
      status: "BAD_CLIENT_ID",
      message: "missing or unknown client id",
    },
    "misconfigured",
  ],

  ["xero", 400, oauth("invalid_grant"), "session_expired"],
  ["xero", 400, oauth("invalid_client"), "misconfigured"],

  ["intuit", 400, oauth("invalid_grant", "Incorrect or invalid refresh token"), "session_expired"],
  ["intuit", 401, oauth("invalid_client"), "misconfigured"],

  ["slack", 200, { ok: false, error: "invalid_refresh_token" }, "session_expired"],
  ["slack", 200, { ok: false, error: "token_revoked" }, "revoked"],
  ["slack", 200, { ok: false, error: "account_inactive" }, "session_expired"],
  ["slack", 200, { ok: false, error: "invalid_client_id" }, "misconfigured"],
  ["slack", 200, { ok: false, error: "bad_client_secret" }, "misconfigured"],
  ["slack", 200, { ok: false, error: "invalid_grant_type" }, "misconfigured"],
  ["slack", 200, { ok: false, error: "internal_error" }, "lost"],
  ["slack", 200, { ok: false, error: "fatal_error" }, "lost"],
  ["slack", 200, { ok: false, error: "service_unavailable" }, "transient"],
  ["slack", 429, { ok: false, error: "ratelimited" }, "transient"],

  ["zoho", 200, oauth("invalid_code"), "session_expired"],
  ["zoho", 200, oauth("invalid_client"), "misconfigured"],
  ["zoho", 200, oauth("invalid_client_secret"), "misconfigured"],
  [
    "zoho",
    400,
    {
      ...oauth("Access Denied", "You have made too many requests continuously. Please try again after some time."),
      status: "failure",
    },
    "transient",
  ],

  [
    "fitbit",
    400,
    fitbit("invalid_grant", `Refresh token invalid: ${REFRESH_TOKEN}. Visit https://dev.fitbit.com`),
    "session_expired",
  ],
  ["fitbit", 401, fitbit("invalid_client", "Invalid authorization header. Client id invalid."), "misconfigured"],
  ["fitbit", 400, fitbit("invalid_request", "Missing parameters: refresh_token"), "misconfigured"],

  ["strava", 400, strava("RefreshToken", "refresh_token"), "session_expired"],
  ["strava", 400, strava("Application", "client_id"), "misconfigured"],

  ["twitch", 400, { error: "Bad Request", status: 400, message: "Invalid refresh token" }, "session_expired"],
  ["twitch", 400, { status: 400, message: "Invalid refresh token" }, "session_expired"],
  ["twitch", 400, { status: 400, message: "invalid client" }, "misconfigured"],
  ["twitch", 400, { status: 400, message: "missing client secret" }, "misconfigured"],
  ["twitch", 403, { status: 403, message: "invalid client secret" }, "misconfigured"],

  ["discord", 400, oauth("invalid_grant", 'Invalid "refresh_token" in request.'), "session_expired"],
  ["discord", 401, oauth("invalid_client"), "misconfigured"],
  ["discord", 429, { message: "You are being rate limited.", retry_after: 1.5, global: false }, "transient"],

  ["spotify", 400, oauth("invalid_grant", "Refresh token revoked"), "revoked"],
  ["spotify", 400, oauth("invalid_grant", "Invalid refresh token"), "session_expired"],
  ["spotify", 400, oauth("invalid_client", "Invalid client secret"), "misconfigured"],

  ["cloudflare", 400, oauth("invalid_grant", "Invalid refresh token"), "session_expired"],
  ["cloudflare", 400, oauth("invalid_grant", "Grant not found"), "session_expired"],
  ["cloudflare", 400, oauth("invalid_grant", "Client ID mismatch"), "misconfigured"],
  ["cloudflare", 401, oauth("invalid_client", "Client not found"), "misconfigured"],
  ["cloudflare", 429, oauth("temporarily_unavailable", "Token issuance is temporarily unavailable"), "transient"],
];

const tokens = { accessToken: canary("access", 1), refreshToken: REFRESH_TOKEN, tokenType: "Bearer", extra: {} };
const context = { signal: new AbortController().signal, attemptId: "attempt" };

/** Returns what becomes of a response: a function that judges it with a profile. */
async function receive(status: number, body: unknown): Promise<(profile: ProviderProfile) => Outcome> {
  await using server = await startServer(respondWith(status, body));
  const refresh = oauth2Refresh({ tokenEndpoint: `${server.origin}/token`, clientId: "my-app" });
  return await refresh(tokens, context).then(
    (response) => (profile) => classifyResponse(response, { sentAt: 0, profile, idToken: undefined, secrets: [] }),
    (error: unknown) => (profile) => classifyError(error, profile, []),
  );
}

const verdictOf = (outcome: Outcome): string => (outcome.kind === "terminal" ? reasonOf(outcome.error) : outcome.kind);

describe("a response", () => {
  it.each(rows)("of %s, %i %j, means %s", async (...[name, status, body, verdict]) => {
    const outcome = (await receive(status, body))(providers[name]);
    expect(verdictOf(outcome)).toBe(verdict);
    expect(printed(outcome)).not.toContain("canary");
  });

  it.each(Object.entries(providers))("that ends the session is known of %s", (name) => {
    const kinds = rows.filter(([each]) => each === name).map(([, , , verdict]) => verdict);
    expect(kinds).toContain("session_expired");
  });
});

const listed = Object.entries(providers).flatMap(([name, profile]) =>
  LISTS.flatMap((list) => profile[list].map((pattern) => ({ name, profile, list, pattern }))),
);

describe("a profile", () => {
  it.each(listed)("of $name lists $pattern as $list only because the general rules misjudge it", async (each) => {
    const { name, profile, list, pattern } = each;
    const without = { ...profile, [list]: profile[list].filter((other) => other !== pattern) };
    const misjudged = [];
    for (const [of, status, body, verdict] of rows) {
      if (of === name && verdictOf((await receive(status, body))(without)) !== verdict) misjudged.push(body);
    }
    expect(misjudged).not.toEqual([]);
  });

  it("of an unknown server changes nothing", () => {
    expect(LISTS.flatMap((list) => genericProvider[list])).toEqual([]);
  });
});

describe("the profile in docs/providers.md", () => {
  const page = readFileSync(new URL("../../../../docs/providers.md", import.meta.url), "utf8");
  const [, section = ""] = page.split("\n## A profile of your own\n");
  const [, code = ""] = /^ {2}provider: (\{$.*?^ {2}\}),$/ms.exec(section) ?? [];
  const { profile } = parseOptions({ provider: runInThisContext(`(${code})`) });
  const responses = [...section.matchAll(/^\| (\d+) `(\{.*?\})` +\| `(\w+)` +\| `(\w+)` +\|$/gm)];

  it.each(responses.map(([, ...row]) => row))("judges %s %s not as %s, but as %s", async (...row) => {
    const [status, body = "", without, verdict] = row;
    const judge = await receive(Number(status), JSON.parse(body));
    expect([judge(genericProvider).kind, judge(profile).kind]).toEqual([without, verdict]);
  });

  it("has a response for each list", () => {
    const verdicts = responses.map(([, , , , verdict]) => verdict);
    expect(verdicts.sort()).toEqual(LISTS.filter((list) => profile[list].length > 0).sort());
    expect(verdicts).toHaveLength(LISTS.length);
  });
});
