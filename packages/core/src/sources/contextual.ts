import type { CallOptions, NamedTokenSource, RejectionOptions, TokenSource } from "../types.ts";
import { describeType } from "../util/describe-type.ts";
import { hideResult } from "../util/inspect.ts";
import { ServedTokens } from "../util/served-tokens.ts";
import {
  isRejectionFor,
  isTokenSource,
  markOwn,
  requestReplacement,
  requestTokens,
  SOURCE_OF_CALL,
} from "../util/token-source.ts";

/**
 * Creates a source that uses another one for each request: for a server that sends requests for many users through one client.
 * `current` returns the source of the code that is running, usually from an `AsyncLocalStorage`:
 *
 * ```ts
 * const user = new AsyncLocalStorage<TokenSource>();
 * const fetchAsUser = createFetch(contextual(() => user.getStore()), { origins });
 * await user.run(sessions.get(userId), () => fetchAsUser(url));
 * ```
 *
 * It is called when a request gets its token. A retry after a 401 uses the same source again, so that no request is ever
 * repeated for another user.
 *
 * Calls reject with a `TypeError` if `current` returns no token source: the code runs outside of a request.
 *
 * @throws TypeError if `current` is not a function
 */
export function contextual(current: () => TokenSource | undefined): NamedTokenSource {
  if (typeof current !== "function")
    throw new TypeError(`contextual: expected a function that returns a token source, not ${describeType(current)}.`);
  const sourceOfCall = () => toSource(current());
  /** For callers that do not keep the source of a request: adapters of other people, `firstAvailable`. */
  const served = new ServedTokens<TokenSource>();
  const getTokenSet = async (options?: CallOptions) => {
    const source = sourceOfCall();
    const tokens = await requestTokens(source, options);
    served.add(tokens.accessToken, source);
    return tokens;
  };
  const replaceRejected = async (rejected: string, options: RejectionOptions = {}) => {
    const source = served.ownerOf(rejected) ?? sourceOfCall();
    const newer = await requestReplacement(source, rejected, options);
    served.add(newer, source);
    return newer;
  };
  const source: NamedTokenSource = {
    getTokenSet,
    getAccessToken: (options) => hideResult(getTokenSet(options).then(({ accessToken }) => accessToken)),
    replaceRejected: (...given) => hideResult(replaceRejected(...given)),
    isRejection: (status, accessToken = "") =>
      isRejectionFor(served.ownerOf(accessToken) ?? sourceOfCall(), status, accessToken),
    source: () => current()?.source?.(),
  };
  return markOwn(Object.defineProperty(source, SOURCE_OF_CALL, { value: sourceOfCall }));
}

function toSource(given: unknown): TokenSource {
  if (isTokenSource(given)) return given;
  throw new TypeError(
    `contextual: the function returned ${describeType(given)} instead of a token source. Send the request inside of the context that it reads, such as AsyncLocalStorage.run().`,
  );
}
