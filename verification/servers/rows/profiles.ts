/** Provider profiles, which can change any verdict. */
import type { ProviderProfile } from "@unexpired/core";
import type { Row } from "../row.ts";
import type { SessionOptions } from "../scene.ts";
import type { Reply } from "../token-server.ts";
import { verdictRow } from "../verdict-row.ts";
import { backsOff, ends, endsAndKeeps, isLost, isMisconfigured } from "./expected.ts";

const CODE = "session_gone";
const reply: Reply = { status: 400, body: { error: CODE } };
const SAID = `HTTP 400 ${CODE}`;

/** A code that no list knows, with a profile that does. */
const listed = (list: keyof ProviderProfile, expected: Row["expected"]): Row =>
  verdictRow({
    situation: `400 ${CODE}, which the profile lists as ${list}`,
    reply: { ...reply, rotates: list === "lost" },
    session: { manager: { provider: { [list]: [CODE] } } },
    expected,
  });

const named = (
  provider: SessionOptions["provider"] & {},
  said: readonly [Reply, string],
  expected: Row["expected"],
): Row =>
  verdictRow({
    situation: `${said[1]}, with providers.${provider}`,
    reply: said[0],
    session: { provider },
    expected,
  });

const refusal = (status: number, body: object): readonly [Reply, string] => [
  { status, body },
  `${status} ${JSON.stringify(body)}`,
];

const processing = "token request is already being processed";
const retried = { error: "invalid_grant", error_description: "try again" };

export const profileRows: readonly Row[] = [
  verdictRow({ situation: `400 ${CODE}, which no list knows`, reply, expected: backsOff(SAID) }),
  listed("terminal", ends("session_expired", SAID)),
  listed("interaction", endsAndKeeps("interaction_required", SAID)),
  listed("misconfigured", isMisconfigured(SAID)),
  listed("transient", backsOff(SAID)),
  listed("lost", isLost(SAID)),
  verdictRow({
    situation: "400 invalid_grant, which the profile lists as transient with this description",
    reply: { status: 400, body: retried },
    session: { manager: { provider: { transient: [{ error: "invalid_grant", description: "Try Again" }] } } },
    expected: backsOff('HTTP 400 invalid_grant "try again"'),
  }),
  named(
    "cognito",
    refusal(400, { __type: "NotAuthorizedException", message: "Invalid Refresh Token" }),
    ends("session_expired", 'HTTP 400 NotAuthorizedException "Invalid Refresh Token"'),
  ),
  named(
    "cognito",
    refusal(400, { __type: "RefreshTokenReuseException" }),
    ends("refresh_token_reused", "HTTP 400 RefreshTokenReuseException"),
  ),
  named(
    "auth0",
    refusal(401, { error: "access_denied", error_description: "Unauthorized" }),
    isMisconfigured('HTTP 401 access_denied "Unauthorized"'),
  ),
  named(
    "cloudflare",
    refusal(400, { error: "invalid_grant", error_description: "Client ID mismatch" }),
    isMisconfigured('HTTP 400 invalid_grant "Client ID mismatch"'),
  ),
  named("workos", refusal(400, { error: "sso_required" }), ends("session_expired", "HTTP 400 sso_required")),
  named(
    "supabase",
    refusal(403, { error_code: "session_not_found" }),
    ends("session_expired", "HTTP 403 session_not_found"),
  ),
  named(
    "salesforce",
    refusal(400, { error: "invalid_grant", error_description: processing }),
    backsOff(`HTTP 400 invalid_grant "${processing}"`),
  ),
  verdictRow({
    situation: "500, with providers.strict: the refresh token is not presented again",
    reply: { status: 500, rotates: true },
    session: { provider: "strict" },
    expected: ends("response_lost", "HTTP 500"),
  }),
];
