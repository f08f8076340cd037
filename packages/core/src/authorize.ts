import { ConfigurationError, UnexpiredError } from "./errors.ts";
import { typeOf } from "./options.ts";
import type { CallOptions, TokenManager } from "./types.ts";

/** Where tokens may go: origins such as `"https://api.example.com"`, or a predicate over the whole URL. */
export type Origins = readonly string[] | ((url: URL) => boolean);

/** The part of a token manager that sending requests takes. */
export type TokenSource = Pick<TokenManager, "getTokenSet" | "replaceRejected">;

/** A response to a request that {@link Authorizer.tokenFor} was asked about. */
export interface Answer {
  /** The HTTP status. */
  readonly status: number;
  /** The `WWW-Authenticate` header, where there is one. */
  readonly wwwAuthenticate: string | null | undefined;
  /** Who answered: the last URL, after redirects. */
  readonly url: URL;
  /** The token that the request carried. */
  readonly accessToken: string;
  /** Whether the request can be sent once more, byte for byte. */
  readonly replayable: boolean;
}

/** The policy that every HTTP adapter translates into its client's hooks. */
export interface Authorizer {
  /**
   * The access token for a request to `url`; `undefined` where the request goes without, because of its origin.
   *
   * @throws what `getAccessToken` throws; ConfigurationError where the token is not a Bearer token
   */
  tokenFor(url: URL, options?: CallOptions): Promise<string | undefined>;
  /**
   * The access token to send the request once more with; `undefined` where the response is the caller's: it is no 401,
   * or one about rights and not about the token, or the body cannot be sent twice (the token is renewed all the same,
   * for the next call), or the token is so new that another one would not help. Ask once per request.
   *
   * @throws SignInRequiredError, RefreshFailedError, ConfigurationError, StoreError where the renewal failed
   */
  tokenAfter(answer: Answer, options?: CallOptions): Promise<string | undefined>;
}

export const ORIGINS = "an array of origins or a function";

const toOrigin = (given: unknown, index: number): string => {
  const url = typeof given === "string" && URL.canParse(given) ? new URL(given) : undefined;
  const isBare = url && url.origin !== "null" && `${url.origin}/` === url.href && !/[?#]/.test(String(given));
  if (isBare) return url.origin;
  throw new TypeError(
    `origins[${index}]: expected scheme, host and port, as in "https://api.example.com", not ${typeOf(given)}${url ? " with more in it" : ""}.`,
  );
};

/** @throws TypeError which names the origin that is none, and never its value */
const toPredicate = (origins: Origins): ((url: URL) => boolean) => {
  // only `true`: a promise, as an asynchronous function returns it, would let every origin pass
  if (typeof origins === "function") return (url) => origins(url) === true;
  if (!Array.isArray(origins)) throw new TypeError(`origins: expected ${ORIGINS}, not ${typeOf(origins)}.`);
  const allowed = new Set(origins.map(toOrigin));
  return (url) => allowed.has(url.origin);
};

/** The 401 rule: who gets a token, and what to do when it is rejected. `origins` is fixed here. */
export function createAuthorizer(tokens: TokenSource, options: { readonly origins: Origins }): Authorizer {
  const isAllowed = toPredicate(options.origins);
  return {
    async tokenFor(url, { signal } = {}) {
      if (!isAllowed(url)) return undefined;
      const { accessToken, tokenType } = await tokens.getTokenSet({ signal });
      if (tokenType.toLowerCase() !== "bearer") {
        throw new ConfigurationError(`The session's token type is "${tokenType}"; only Bearer tokens can be attached.`);
      }
      return sendable(accessToken);
    },
    async tokenAfter(answer, { signal } = {}) {
      if (!isRejection(answer) || !isAllowed(answer.url)) return undefined;
      const renewal = tokens.replaceRejected(answer.accessToken, { signal });
      if (!answer.replayable) {
        renewal.catch(() => {}); // the next call meets the same error, and throws it
        return undefined;
      }
      return renewal.then(sendable, ignoreJustObtained);
    },
  };
}

/** A client that is given anything else for a header quotes it in its error. */
const sendable = (accessToken: string): string => {
  if (/^[\x20-\x7e\x80-\xff]+$/.test(accessToken)) return accessToken;
  throw new ConfigurationError("The access token holds characters that no header can carry. Sign in with another one.");
};

/** RFC 6750 §3.1: `insufficient_scope` is about rights, which a new token would not change. */
const isRejection = ({ status, wwwAuthenticate }: Answer): boolean =>
  status === 401 && !/\berror\s*=\s*"?insufficient_scope\b/i.test(wwwAuthenticate ?? "");

const ignoreJustObtained = (error: unknown): undefined => {
  if (UnexpiredError.is(error) && error.code === "REFRESH_FAILED" && error.because === "just_obtained")
    return undefined;
  throw error;
};
