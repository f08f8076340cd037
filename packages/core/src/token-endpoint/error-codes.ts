/** Amazon Cognito's code for a dead refresh token, but also for a wrong client secret. */
export const NOT_AUTHORIZED = "notauthorizedexception";

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
export const INTERACTION = [
  "interaction_required",
  "login_required",
  "consent_required",
  "account_selection_required",
  "mfa_required",
];

/** RFC 6749 §5.2, RFC 8707 §2, and what other servers call the same. */
export const MISCONFIGURED = [
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

/** Codes that some servers send for a dead refresh token, so that the description decides. `invalid_token`: Spring. */
export const AMBIGUOUS = ["invalid_request", "unauthorized_client", "access_denied", "invalid_token"];

const KNOWN = [...TERMINAL, ...INTERACTION, ...MISCONFIGURED, ...AMBIGUOUS, "temporarily_unavailable", "server_error"];

/** The text of a status, which some servers send as the error. */
const STATUS_TEXT = /^(bad ?request|unauthorized|forbidden|not ?found)$/i;

/** Returns a code in the spelling of the lists: "Invalid grant" is `invalid_grant`. */
const spell = (text: string): string =>
  text
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, "_");

export const isTerminal = (text: string): boolean => TERMINAL.includes(spell(text));

export const isKnown = (text: string): boolean => KNOWN.includes(spell(text));

/** Returns whether a text is an error code, known or not, rather than a number, a sentence, or the text of a status. */
export const isCode = (text: string): boolean =>
  isKnown(text) || (/[a-z]/i.test(text) && !/\s/.test(text) && !STATUS_TEXT.test(text));

/** Returns the error code in the spelling of the lists, or an empty string if there is no code. */
export const toCode = (text: string | undefined): string => (text !== undefined && isCode(text) ? spell(text) : "");
