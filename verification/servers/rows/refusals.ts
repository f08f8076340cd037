/** Refusals of the refresh token, in the shapes of many servers, and what looks like one. */
import { canary } from "@unexpired-internal/test-support/canary";
import { describeRecord } from "../describe.ts";
import type { Row } from "../row.ts";
import type { Reply } from "../token-server.ts";
import { verdictRow } from "../verdict-row.ts";
import { backsOff, ends, endsAndKeeps, endsButUsable, isMisconfigured } from "./expected.ts";

const HOUR = 3_600_000;
const refusal = (status: number, body: object): Reply => ({ status, body });

/** A row about a refusal in these words; `said` is the code and description that the caller learns. */
type Words = readonly [status: number, body: object, said: string, reason?: string];

const DEAD: readonly Words[] = [
  [400, { error: "invalid_grant" }, "invalid_grant"],
  [401, { error: "invalid_grant" }, "invalid_grant"],
  [403, { error: "invalid_grant" }, "invalid_grant"],
  [500, { error: "invalid_grant" }, "invalid_grant"],
  [200, { error: "bad_refresh_token" }, "bad_refresh_token"],
  [
    400,
    { error: "invalid_grant", error_description: "Token has been revoked" },
    'invalid_grant "Token has been revoked"',
    "revoked",
  ],
  [
    400,
    { error: "invalid_grant", error_description: "already used" },
    'invalid_grant "already used"',
    "refresh_token_reused",
  ],
  [
    401,
    { errors: [{ errorType: "invalid_grant", message: "Refresh token invalid" }], success: false },
    'invalid_grant "Refresh token invalid"',
  ],
  [400, { error: { code: "invalid_grant", message: "no" } }, 'invalid_grant "no"'],
  [400, { error: { type: "invalid_grant" } }, "invalid_grant"],
  [400, { error_code: "invalid_grant" }, "invalid_grant"],
  [
    400,
    { error_code: "refresh_token_not_found", msg: "Invalid Refresh Token" },
    'refresh_token_not_found "Invalid Refresh Token"',
  ],
  [400, { code: "refresh_token_already_used" }, "refresh_token_already_used", "refresh_token_reused"],
  [
    400,
    { status: "BAD_REFRESH_TOKEN", message: "missing or unknown refresh token" },
    'BAD_REFRESH_TOKEN "missing or unknown refresh token"',
  ],
  [400, { status: 400, message: "Invalid refresh token" }, '"Invalid refresh token"'],
  [
    400,
    { message: "Bad Request", errors: [{ resource: "RefreshToken", field: "refresh_token", code: "invalid" }] },
    '"Bad Request (refresh_token invalid)"',
  ],
  [
    400,
    { __type: "NotAuthorizedException", message: "Refresh Token has been revoked" },
    'NotAuthorizedException "Refresh Token has been revoked"',
    "revoked",
  ],
  [
    400,
    { __type: "com.amazonaws.cognito#NotAuthorizedException", message: "Refresh Token has expired" },
    'NotAuthorizedException "Refresh Token has expired"',
  ],
  [
    403,
    { error: "unauthorized_client", error_description: "refresh_token is invalid" },
    'unauthorized_client "refresh_token is invalid"',
  ],
  [
    400,
    { error: "invalid_request", error_description: "The refresh token is expired" },
    'invalid_request "The refresh token is expired"',
  ],
  [
    400,
    { error: "invalid_request", error_description: "unknown refresh_token" },
    'invalid_request "unknown refresh_token"',
  ],
  [
    403,
    { error: "access_denied", error_description: "The refresh token was revoked" },
    'access_denied "The refresh token was revoked"',
    "revoked",
  ],
];

/** Refusals of the client or the request. None of them may sign anyone out. */
const MISCONFIGURED: readonly Words[] = [
  [401, { error: "invalid_client" }, "invalid_client"],
  [
    400,
    { error: "invalid_client", error_description: "The refresh token is invalid" },
    'invalid_client "The refresh token is invalid"',
  ],
  [400, { error: "invalid_target" }, "invalid_target"],
  [400, { error: "invalid_scope" }, "invalid_scope"],
  [400, { error: "unsupported_grant_type" }, "unsupported_grant_type"],
  [
    400,
    { error: "unauthorized_client", error_description: "The grant type refresh_token is not enabled for this client" },
    'unauthorized_client "The grant type refresh_token is not enabled for this client"',
  ],
  [
    403,
    { error: "unauthorized_client", error_description: "Grant type 'refresh_token' not allowed" },
    `unauthorized_client "Grant type 'refresh_token' not allowed"`,
  ],
  [
    400,
    { error: "invalid_request", error_description: "missing parameter: refresh_token" },
    'invalid_request "missing parameter: refresh_token"',
  ],
  [
    400,
    { error: "invalid_request", error_description: "Refresh token not valid: not linked to client" },
    'invalid_request "Refresh token not valid: not linked to client"',
  ],
  [
    400,
    { error: "invalid_request", error_description: "refresh token: DPoP proof is invalid" },
    'invalid_request "refresh token: DPoP proof is invalid"',
  ],
  [
    400,
    { error: "invalid_request", error_description: "scope exceeds that of the refresh token, invalid" },
    'invalid_request "scope exceeds that of the refresh token, invalid"',
  ],
  [
    400,
    { error: "invalid_request", error_description: "Value passed for the token was invalid." },
    'invalid_request "Value passed for the token was invalid."',
  ],
  [
    400,
    { __type: "NotAuthorizedException", message: "Client secret does not match" },
    'NotAuthorizedException "Client secret does not match"',
  ],
];

/** A row's input: the status and the body as they are on the wire. */
const inputOf = (status: number, body: object): string => `${status} ${JSON.stringify(body)}`;

const INTERACTIONS = [
  "interaction_required",
  "login_required",
  "consent_required",
  "account_selection_required",
  "mfa_required",
];

const interaction = (error: string): readonly Row[] =>
  [false, true].map((isUsable) =>
    verdictRow({
      situation: `400 ${error}; the access token ${isUsable ? "is usable" : "has expired"}`,
      reply: refusal(400, { error, error_description: "AADSTS50076" }),
      session: { isUsable },
      steps: isUsable ? ["refresh", 2, "get"] : ["get", 2, "get"],
      expected: isUsable
        ? endsButUsable("interaction_required", `HTTP 400 ${error} "AADSTS50076"`)
        : endsAndKeeps("interaction_required", `HTTP 400 ${error} "AADSTS50076"`),
    }),
  );

const processing = { error: "invalid_grant", error_description: "token request is already being processed" };

export const refusalRows: readonly Row[] = [
  ...DEAD.map(([status, body, said, reason = "session_expired"]) =>
    verdictRow({
      situation: inputOf(status, body),
      reply: refusal(status, body),
      expected: ends(reason, `HTTP ${status} ${said}`),
    }),
  ),
  ...MISCONFIGURED.map(([status, body, said]) =>
    verdictRow({
      situation: inputOf(status, body),
      reply: refusal(status, body),
      expected: isMisconfigured(`HTTP ${status} ${said}`),
    }),
  ),
  ...INTERACTIONS.flatMap(interaction),
  verdictRow({
    situation: inputOf(400, processing),
    reply: refusal(400, processing),
    expected: backsOff('HTTP 400 invalid_grant "token request is already being processed"'),
  }),
  verdictRow({
    situation: "400 interaction_required; the user interacts with the server, and the program calls refresh()",
    reply: refusal(400, { error: "interaction_required" }),
    steps: ["get", 3600, "get", "refresh", "get"],
    expected: {
      happened: /^dead: interaction_required, keeps the refresh token$/,
      saw: /^(SIGN_IN_REQUIRED interaction_required \(HTTP 400 interaction_required\); ){2}a token; a token; 2 exchanges/,
    },
  }),
  verdictRow({
    situation: "a refusal that quotes the refresh token (Fitbit)",
    reply: {
      status: 401,
      body: ({ presented }) => ({
        errors: [{ errorType: "invalid_grant", message: `Refresh token invalid: ${presented}` }],
      }),
    },
    expected: ends("session_expired", 'HTTP 401 invalid_grant "Refresh token invalid: [secret]"'),
  }),
  verdictRow({
    situation: "an early refresh is refused while the access token is usable",
    reply: refusal(400, { error: "invalid_grant" }),
    session: { isUsable: true },
    steps: ["refresh", "get", 1800, "get", 1801, "get"],
    expected: {
      happened: /^dead: session_expired, keeps the access token$/,
      saw: /^SIGN_IN_REQUIRED session_expired \(HTTP 400 invalid_grant\); a token; a token; SIGN_IN_REQUIRED session_expired \(HTTP 400 invalid_grant\); 1 exchange; a request: the same/,
    },
  }),
  {
    situation:
      "an early refresh is refused while the access token is usable: state, hasSession(), signIn with new tokens",
    expected: {
      happened: "dead: revoked, keeps the access token",
      saw: "near-expiry, usable: true, renewable: false, revoked; hasSession: false; signed in: true; valid",
    },
    async run(scene) {
      const { server, tokens, record } = await scene.session({ isUsable: true });
      server.next(refusal(400, { error: "invalid_grant", error_description: "revoked" }));
      await tokens.refresh().catch(() => {});
      const happened = describeRecord(await record());
      const { status, usable, renewable, reason } = Object(tokens.state) as Readonly<Record<string, unknown>>;
      const next = {
        accessToken: canary("access", 9),
        refreshToken: canary("refresh", 9),
        expiresAt: Date.now() + HOUR,
      };
      const saw = [
        `${status}, usable: ${usable}, renewable: ${renewable}, ${reason}`,
        `hasSession: ${await tokens.hasSession()}`,
        `signed in: ${await tokens.signIn(next)}`,
        tokens.state?.status,
      ];
      return { happened, saw: saw.join("; ") };
    },
  },
];
