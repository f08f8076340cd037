import { SignInRequiredError } from "../errors.ts";
import { parseTokenSet } from "../tokens/token-set.ts";
import type { CallOptions, Clock, NamedTokenSource, RejectionOptions, TokenSet } from "../types.ts";
import { describeType } from "../util/describe-type.ts";
import { hideResult } from "../util/inspect.ts";

/** A place that holds one token, which cannot be refreshed. */
export interface TokenPlace {
  /** Identifies it for programs and people. */
  readonly name: string;
  /** Names it in errors. */
  readonly location: string;
  /** How to fix a token that is missing, has expired or was rejected: a full sentence. */
  readonly hint: string;
  readonly clock: Pick<Clock, "now">;
  /** Returns what it holds now. A blank string counts as nothing. */
  read(): string | undefined;
}

/** Creates a source over a token that is read at each call, expires only if it is a JWT, and is never refreshed. */
export function fixedToken(place: TokenPlace): NamedTokenSource {
  let latest: TokenSet | undefined;
  const current = (): TokenSet => {
    const accessToken = tokenIn(place);
    if (accessToken === undefined) throw unusable(place, "no_session", "there is no token");
    if (latest?.accessToken !== accessToken) latest = parseTokenSet({ accessToken });
    const { expiresAt = Number.POSITIVE_INFINITY } = latest;
    if (place.clock.now() < expiresAt) return latest;
    throw unusable(place, "session_expired", `the token expired at ${new Date(expiresAt).toISOString()}`);
  };
  const getTokenSet = async ({ signal }: CallOptions = {}) => {
    signal?.throwIfAborted();
    return current();
  };
  const replaceRejected = async (rejected: string, { signal, response }: RejectionOptions = {}) => {
    if (typeof rejected !== "string")
      throw new TypeError(`accessToken: expected a string, not ${describeType(rejected)}.`);
    signal?.throwIfAborted();
    const { accessToken } = current();
    if (accessToken !== rejected) return accessToken;
    const status = response ? ` with HTTP ${response.status}` : "";
    throw unusable(place, "session_expired", `the server rejected the token${status}`);
  };
  return {
    getTokenSet,
    getAccessToken: (options) => hideResult(getTokenSet(options).then(({ accessToken }) => accessToken)),
    replaceRejected: (...given) => hideResult(replaceRejected(...given)),
    source: () => (isEmpty(place) ? undefined : place.name),
  };
}

const tokenIn = (place: TokenPlace): string | undefined => place.read()?.trim() || undefined;

/** A place that cannot be read is not empty: calls fail there. */
function isEmpty(place: TokenPlace): boolean {
  try {
    return tokenIn(place) === undefined;
  } catch {
    return false;
  }
}

const unusable = (
  { location, hint }: TokenPlace,
  reason: "no_session" | "session_expired",
  problem: string,
): SignInRequiredError => new SignInRequiredError(reason, location, { problem, hint });
