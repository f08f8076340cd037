import { ConfigurationError, SignInFailedError, type TokenEndpointError, UnexpiredError } from "../errors.ts";
import { MISCONFIGURED, toCode } from "../token-endpoint/error-codes.ts";

/** RFC 6749 §4.1.2.1: the server cannot complete the request at the moment. */
const UNAVAILABLE = ["server_error", "temporarily_unavailable"];

/** `authorization_declined`: Microsoft Entra, OpenAM ({@link https://github.com/OpenIdentityPlatform/OpenAM/issues/627 #627}). */
const REFUSED = ["access_denied", "authorization_declined"];

/** RFC 8628 §3.5; `code_expired`: Microsoft Entra ({@link https://github.com/Azure/azure-cli/issues/22252 azure-cli #22252}). */
const EXPIRED = ["expired_token", "code_expired"];

/** Returns whether a value is the error of a request, of any endpoint. */
export const isEndpointError = (thrown: unknown): thrown is TokenEndpointError =>
  UnexpiredError.is(thrown) && thrown.code === "TOKEN_ENDPOINT";

/** Returns whether there was no response, or one that says nothing about the request: the same one can succeed later. */
export const isUnavailable = ({ status, error, description }: TokenEndpointError): boolean => {
  const isSilent = status === undefined && error === undefined && description === undefined;
  return isSilent || status === 429 || (status ?? 0) >= 500 || UNAVAILABLE.includes(toCode(error));
};

/** Returns the error of a sign-in for the error response of an endpoint. */
export function toSignInError(error: TokenEndpointError): SignInFailedError | ConfigurationError {
  const code = toCode(error.error);
  if (REFUSED.includes(code)) return new SignInFailedError("refused", { cause: error });
  if (EXPIRED.includes(code)) return new SignInFailedError("expired", { cause: error });
  const problem = withoutDot(error.message);
  if (!isUnavailable(error) && isMisconfigured(error))
    return new ConfigurationError(`${problem}. ${hintFor(error)}`, { cause: error });
  const reason = isUnavailable(error) ? "unreachable" : "rejected";
  return new SignInFailedError(reason, { problem: problem.replace(/^The /, "the "), cause: error });
}

const isMisconfigured = ({ error, status = 0 }: TokenEndpointError): boolean =>
  MISCONFIGURED.includes(toCode(error)) || (status >= 300 && status < 400);

function hintFor({ error, status = 0 }: TokenEndpointError): string {
  if (status >= 300 && status < 400) return "Use the URL that it redirects to, if that is the right endpoint.";
  const hint = "Check the client ID, its authentication, its redirect URIs and grant types, and the requested scope.";
  return toCode(error) === "invalid_client"
    ? `${hint} Some servers accept only client_secret_post, or only client_secret_basic.`
    : hint;
}

const withoutDot = (text: string): string => text.replace(/\.$/, "");
