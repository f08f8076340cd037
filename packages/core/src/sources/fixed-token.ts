import { SignInRequiredError } from "../errors.ts";
import { parseTokenSet } from "../tokens/token-set.ts";
import type { CallOptions, Clock, NamedTokenSource, RejectionOptions, TokenSet } from "../types.ts";
import { describeType } from "../util/describe-type.ts";
import { hideResult } from "../util/inspect.ts";
import { markOwn } from "../util/token-source.ts";

/** A location of one token, which cannot be refreshed. */
export interface TokenLocation {
  /** Identifies it for programs and people. */
  readonly name: string;
  /** Names it in errors. */
  readonly description: string;
  /** How to fix a token that is missing, has expired or was rejected: a full sentence. */
  readonly hint: string;
  readonly clock: Pick<Clock, "now">;
  /** Returns what it holds now. A blank string counts as nothing. */
  read(): string | undefined;
}

/** Creates a source over a token that is read at each call, expires only if it is a JWT, and is never refreshed. */
export function fixedToken(location: TokenLocation): NamedTokenSource {
  let latest: TokenSet | undefined;
  const current = (): TokenSet => {
    const accessToken = tokenIn(location);
    if (accessToken === undefined) throw unusable(location, "no_session", "there is no token");
    if (latest?.accessToken !== accessToken) latest = parseTokenSet({ accessToken });
    const { expiresAt = Number.POSITIVE_INFINITY } = latest;
    if (location.clock.now() < expiresAt) return latest;
    throw unusable(location, "session_expired", `the token expired at ${new Date(expiresAt).toISOString()}`);
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
    throw unusable(location, "session_expired", `the server rejected the token${status}`);
  };
  return markOwn({
    getTokenSet,
    getAccessToken: (options) => hideResult(getTokenSet(options).then(({ accessToken }) => accessToken)),
    replaceRejected: (...given) => hideResult(replaceRejected(...given)),
    source: () => (isEmpty(location) ? undefined : location.name),
  });
}

const tokenIn = (location: TokenLocation): string | undefined => location.read()?.trim() || undefined;

/** A location that cannot be read is not empty: calls fail there. */
function isEmpty(location: TokenLocation): boolean {
  try {
    return tokenIn(location) === undefined;
  } catch {
    return false;
  }
}

const unusable = (
  { description, hint }: TokenLocation,
  reason: "no_session" | "session_expired",
  problem: string,
): SignInRequiredError => new SignInRequiredError(reason, description, { problem, hint });
