import type { TokenEndpointError } from "../errors.ts";
import type { DeadReason, ProviderProfile, ResponsePattern } from "../types.ts";

/**
 * The meaning of a response without tokens. `terminal` and `interaction`: the session has ended; after an interaction, its
 * refresh token may work again. `refused`: a refusal without a reason. `misconfigured`: the client is at fault.
 * `transient`: the server did not process the request. `lost`: the server may have issued tokens.
 */
export type Verdict = "terminal" | "interaction" | "refused" | "misconfigured" | "transient" | "lost";

/** Amazon Cognito's code for a dead refresh token, but also for a wrong client secret. */
const NOT_AUTHORIZED = "notauthorizedexception";

/** `invalid_grant`, and its equivalents at servers that deviate from RFC 6749 §5.2. */
const TERMINAL = [
  "invalid_grant",
  "bad_refresh_token", // GitHub, HubSpot
  "invalid_refresh_token", // Slack
  "refresh_token_already_used", // Supabase
  "refresh_token_not_found",
  "refresh_token_expired", // OpenAI
  "refresh_token_invalidated",
  "refresh_token_reused",
  NOT_AUTHORIZED,
];

/** OpenID Connect Core §3.1.2.6; `mfa_required`: Auth0. */
const INTERACTION = [
  "interaction_required",
  "login_required",
  "consent_required",
  "account_selection_required",
  "mfa_required",
];

/** RFC 6749 §5.2, RFC 8707 §2, and what other servers call the same. */
const MISCONFIGURED = [
  "invalid_client",
  "incorrect_client_credentials", // GitHub
  "invalid_client_id", // Salesforce, Slack
  "bad_client_id", // HubSpot
  "invalid_client_secret", // Zoho
  "bad_client_secret", // Slack, HubSpot
  "deleted_client", // Google
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
  "invalid_request",
  "invalid_target",
  "invalid_resource", // Microsoft Entra
];

/** Codes that some servers send for a dead refresh token, so that the description decides. */
const AMBIGUOUS = ["invalid_request", "unauthorized_client", "access_denied"];

const OTHERS: Readonly<Record<string, Verdict>> = { temporarily_unavailable: "transient", server_error: "lost" };

/** In the order in which a profile's patterns are tried. */
const OVERRIDES = ["transient", "lost", "misconfigured", "interaction", "terminal"] as const;

/** Decides what a response means: by the profile, its error code, its description, and its status, in this order. */
export function verdictOf(error: TokenEndpointError, profile: ProviderProfile): Verdict {
  const override = OVERRIDES.find((verdict) => profile[verdict].some((pattern) => matches(pattern, error)));
  return override ?? verdictOnCode(error) ?? (error.sent ? verdictOnStatus(error) : "transient");
}

function matches(pattern: ResponsePattern, error: TokenEndpointError): boolean {
  if (typeof pattern === "string") return pattern === error.error;
  const { error: code, status, description } = pattern;
  if (code !== undefined && code !== (error.error ?? null)) return false;
  if (status !== undefined && status !== error.status) return false;
  return description === undefined || textOf(error.description).includes(textOf(description));
}

const textOf = (text: string | undefined): string => text?.toLowerCase() ?? "";

function verdictOnCode(error: TokenEndpointError): Verdict | undefined {
  const code = hasCode(error) ? textOf(error.error) : "";
  const description = textOf(error.description).replace(/["'`]/g, "");
  if (TERMINAL.includes(code)) return verdictOnTerminalCode(code, description);
  const isUnclear = code === "" || AMBIGUOUS.includes(code);
  if (isUnclear && isRefusal(error) && saysTokenIsDead(description)) return "terminal";
  if (INTERACTION.includes(code)) return "interaction";
  const isAboutClient = code === "" && isRefusal(error) && /\bclient/.test(description);
  return isAboutClient || MISCONFIGURED.includes(code) ? "misconfigured" : OTHERS[code];
}

function verdictOnTerminalCode(code: string, description: string): Verdict {
  if (/\bbeing processed\b/.test(description)) return "transient"; // Salesforce: by a request of another process
  return code === NOT_AUTHORIZED && /client|secret/.test(description) ? "misconfigured" : "terminal";
}

const TOKEN = "refresh[ _-]?token";
const DEAD =
  "invalid|expired|revoked|unknown|unrecogni[sz]ed|inactive|not (?:found|valid|active|recogni[sz]ed|exist)|no longer valid|(?:already|been|was|previously) (?:been )?used|re-?used?";
const TOKEN_IS_DEAD = new RegExp(
  `\\b${TOKEN}\\b[^.;]*\\b(?:${DEAD})\\b|\\b(?:${DEAD})\\b(?: [\\w/]+){0,2} ${TOKEN}\\b`,
);
const OTHER_CAUSE = /grant[ _-]?type|client|parameter|missing|scope|proof/;

/** Whether a description says that the refresh token itself is the problem, and mentions no other. */
const saysTokenIsDead = (description: string): boolean =>
  TOKEN_IS_DEAD.test(description) && !OTHER_CAUSE.test(description);

const isRefusal = ({ status = 0 }: TokenEndpointError): boolean => status >= 400 && status < 500 && status !== 429;

function verdictOnStatus(response: TokenEndpointError): Verdict {
  const { error, status } = response;
  if (status === undefined) return hasCode(response) ? "transient" : "lost";
  switch (Math.floor(status / 100)) {
    case 2:
      return error === undefined ? "lost" : "transient";
    case 4:
      return isUnexplained(response) ? "refused" : "transient";
    case 5:
      return isOverloaded(response) ? "transient" : "lost";
    default:
      return "misconfigured"; // a redirect; the status of one in a browser is 0
  }
}

/** The text of a status, which some servers send as the error. */
const STATUS_TEXT = /^(bad ?request|unauthorized|forbidden|not ?found)$/i;

/** Whether there is an OAuth error code, rather than a text such as "Bad Gateway". */
const hasCode = ({ error = " " }: TokenEndpointError): boolean => !error.includes(" ") && !STATUS_TEXT.test(error);

/** Whether a server refused the request without a reason. A page in HTML is a proxy's. */
function isUnexplained({ status, error, body }: TokenEndpointError): boolean {
  const hasReason = body === "other" || (error !== undefined && !STATUS_TEXT.test(error));
  return (status === 400 || status === 401) && !hasReason;
}

const isOverloaded = (response: TokenEndpointError): boolean =>
  response.status === 503 && (hasCode(response) || response.retryAfter !== undefined);

/** Derives the reason from code and description, because most servers send `invalid_grant` in every case. */
export function reasonOf({ error, description }: TokenEndpointError): DeadReason {
  const text = `${error} ${description}`;
  if (/reuse|already[ _](been[ _])?used/i.test(text)) return "refresh_token_reused";
  return /revoked/i.test(text) && !/expired/i.test(text) ? "revoked" : "session_expired";
}
