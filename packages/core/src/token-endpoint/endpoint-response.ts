import { TokenEndpointError, UnexpiredError } from "../errors.ts";
import { expiryOf } from "../tokens/jwt.ts";
import { systemClock } from "../util/clock.ts";
import { retryAfterOf } from "../util/retry-after.ts";
import { withoutQuery } from "./endpoint-url.ts";
import { readError, toJudgedError } from "./error-response.ts";
import { isUnsent } from "./unsent.ts";

/**
 * Turns every failure of `run` into a `TokenEndpointError` that contains none of the secrets. `run` calls its parameter
 * when the request is about to be sent.
 */
export async function withEndpointErrors<T>(
  secrets: () => readonly string[],
  endpoint: string | undefined,
  run: (onSend: () => void) => Promise<T>,
): Promise<T> {
  let isBegun = false;
  try {
    return await run(() => {
      isBegun = true;
    });
  } catch (error) {
    const isKnown = UnexpiredError.is(error) && error.code === "TOKEN_ENDPOINT";
    const sent = isBegun && !isUnsent(error);
    throw toJudgedError(isKnown ? error : new TokenEndpointError({ sent, endpoint, cause: error }), secrets());
  }
}

/** Returns the error for a response that holds no tokens. */
export function toResponseError(response: Response, text: string, endpoint: string | undefined): TokenEndpointError {
  const { status, headers } = response;
  const json = tryJson(text);
  const { error, description = redirectionOf(response, endpoint) } = readError(json, { isOk: response.ok });
  return new TokenEndpointError({
    error,
    description,
    status,
    retryAfter: retryAfterOf(headers, systemClock.now()),
    sent: true,
    endpoint,
    body: text.trim() === "" ? "empty" : json ? "json" : "other",
  });
}

/** Says where a response redirects to, without the query, which may contain keys. */
function redirectionOf({ status, headers }: Response, endpoint: string | undefined): string | undefined {
  const location = headers.get("location");
  const isRedirect = status >= 300 && status < 400 && location !== null && URL.canParse(location, endpoint);
  return isRedirect ? `redirects to ${withoutQuery(new URL(location, endpoint))}` : undefined;
}

/** Returns the object or array that a body holds; `undefined` if it is no JSON, or a JSON of another kind. */
export function tryJson(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // HTML, or an empty body
  }
}

/**
 * Returns the lifetime of a JWT in seconds, as the difference between its `exp` and the `Date` header. Both follow the
 * server's clock, so the result does not depend on ours.
 */
export function lifetimeByServer(accessToken: string, { headers }: Response): number | undefined {
  const lifetime = (expiryOf(accessToken) ?? Number.NaN) - Date.parse(headers.get("date") ?? "");
  return lifetime > 0 ? lifetime / 1000 : undefined;
}
