import type { TokenEndpointError } from "../errors.ts";
import {
  AMBIGUOUS,
  INTERACTION,
  isTerminal,
  MISCONFIGURED,
  NOT_AUTHORIZED,
  toCode,
} from "../token-endpoint/error-codes.ts";
import type { DeadReason, ProviderProfile, ResponsePattern } from "../types.ts";

/**
 * The meaning of a response without tokens. `terminal` and `interaction`: the session has ended; after an interaction, its
 * refresh token may work again. `refused`: a refusal without a reason. `misconfigured`: the client is at fault.
 * `transient`: the server did not process the request. `lost`: the server may have issued tokens.
 */
export type Verdict = "terminal" | "interaction" | "refused" | "misconfigured" | "transient" | "lost";

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
  const code = toCode(error.error);
  const description = wordsOf(error.description);
  if (isTerminal(code)) return verdictOnTerminalCode(code, description);
  if (code === "") return verdictOnText(error, `${description}; ${wordsOf(error.error)}`);
  const said = AMBIGUOUS.includes(code) ? description : "";
  if (isRefusal(error) && saysTokenIsDead(said)) return "terminal";
  if ((isRefusal(error) || isOk(error)) && saysTokenIsDead(wordsOf(code))) return "terminal";
  if (INTERACTION.includes(code)) return "interaction";
  return MISCONFIGURED.includes(code) ? "misconfigured" : OTHERS[code];
}

function verdictOnText(error: TokenEndpointError, text: string): Verdict | undefined {
  if (isRefusal(error) && saysTokenIsDead(text)) return "terminal";
  return [400, 401, 403].includes(error.status ?? 0) && OTHER_CAUSE.test(text) ? "misconfigured" : undefined;
}

function verdictOnTerminalCode(code: string, description: string): Verdict {
  if (/\bbeing processed\b/.test(description)) return "transient"; // Salesforce: by a request of another process
  return code === NOT_AUTHORIZED && /client|secret/.test(description) ? "misconfigured" : "terminal";
}

/** Returns a text in lower case, without quotation marks, and with spaces for underscores. */
const wordsOf = (text: string | undefined): string =>
  textOf(text)
    .replace(/["'`’“”]/g, "")
    .replace(/_/g, " ");

/** Not the name of a path, nor of a grant. */
const TOKEN = "(?<![/\\w-]|grant )refresh[ -]?token(?!-| (?:request|grant|flow|endpoint|rotation|exchange)\\b)";
const DEAD =
  "(?:invalid|expired|revoked|unknown|unrecogni[sz]ed|inactive|malformed|(?:not|doesnt) (?:found|valid|active|recogni[sz]ed|exist)|no longer valid|(?:already|been|was|previously) (?:been )?used|re-?used?)\\b";
const LINK =
  "(?:is|are|was|has|have|had|been|provided|supplied|given|presented|sent|you|the|that|it|may|be|already|or|does|did|value|lifetime|\\[secret\\])";
const TOKEN_IS_DEAD = new RegExp(
  `${TOKEN}(?: ${LINK})*[ :,(]+${DEAD}|\\b${DEAD}(?:[ ,/]+(?:or |and )?${DEAD})*(?: (?:or|the|this|your|of|provided|supplied|oauth2?))* ${TOKEN}\\b`,
);
const OTHER_CAUSE = /grant[ -]?type|token grant|grant refresh|client|parameter|missing|scope|proof/;

/** Whether a description says that the refresh token itself is the problem, and mentions no other. */
const saysTokenIsDead = (description: string): boolean =>
  TOKEN_IS_DEAD.test(description) && !OTHER_CAUSE.test(description);

const isOk = ({ status = 0 }: TokenEndpointError): boolean => status >= 200 && status < 300;

/** A 429, or a 408 of a proxy, refuses no token. */
const isRefusal = ({ status = 0 }: TokenEndpointError): boolean =>
  status >= 400 && status < 500 && status !== 408 && status !== 429;

function verdictOnStatus(response: TokenEndpointError): Verdict {
  const { error, status } = response;
  if (status === undefined) return toCode(response.error) !== "" ? "transient" : "lost";
  switch (Math.floor(status / 100)) {
    case 2:
      return toCode(error) === "" ? "lost" : "transient";
    case 4:
      return isUnexplained(response) ? "refused" : "transient";
    case 5:
      return isOverloaded(response) ? "transient" : "lost";
    default:
      return "misconfigured"; // a redirect; the status of one in a browser is 0
  }
}

/** Whether a server refused the request without a reason. A page in HTML is a proxy's. */
const isUnexplained = ({ status, error, body }: TokenEndpointError): boolean =>
  (status === 400 || status === 401) && body !== "other" && toCode(error) === "";

const isOverloaded = (response: TokenEndpointError): boolean =>
  response.status === 503 && (toCode(response.error) !== "" || response.retryAfter !== undefined);

/** Derives the reason from code and description, because most servers send `invalid_grant` in every case. */
export function reasonOf({ error, description }: TokenEndpointError): DeadReason {
  const text = `${error} ${description}`;
  if (/reuse|already[ _](been[ _])?used/i.test(text)) return "refresh_token_reused";
  return /revoked/i.test(text) && !/expired/i.test(text) ? "revoked" : "session_expired";
}
