import * as z from "zod/mini";
import { TokenEndpointError } from "../errors.ts";
import {
  PLACEHOLDER,
  parseReturnedTokens,
  parseTokenResponse,
  parseTokenUpdate,
  secretsOf,
} from "../tokens/token-set.ts";
import { explainPlaceholders } from "../tokens/unreadable-members.ts";
import type { RefreshFunction, TokenResponse, TokenSet, TokenSetInput } from "../types.ts";
import { checkOptions, functionSchema, type OptionTable, TIMEOUT, timeoutSchema } from "../util/check-options.ts";
import { describeType } from "../util/describe-type.ts";
import { redact } from "../util/redact.ts";
import { lifetimeByServer, toResponseError, tryJson, withEndpointErrors } from "./endpoint-response.ts";
import { checkTransport, ENDPOINT, endpointSchema, SECRET_NAME, secretsInQuery, withoutQuery } from "./endpoint-url.ts";
import { UNREAD } from "./error-response.ts";

/** The result of a refresh function: a token set, or a response of a token endpoint. */
export type ReturnedTokens = TokenSetInput | TokenResponse;
/** A function whose first parameter may be declared with the type that the endpoint documents. */
export type BodyReader<T> = { read(json: unknown, status: number): T }["read"];
/** The headers of a request by their names. */
export type HeaderValues = Readonly<Record<string, string>>;

/** Options of {@link jsonRefresh}. */
export interface JsonRefreshOptions {
  /** The URL of the endpoint: `https`, or `http` on this machine. */
  readonly endpoint: string | URL;
  /**
   * Returns the body of the request, which is sent as JSON, or a promise of it. If that takes longer than half the timeout,
   * nothing is sent.
   */
  readonly body: (current: TokenSet) => unknown;
  /**
   * Returns the tokens of a response with a status of 2xx and a JSON object or array as its body; `undefined` if it holds
   * none. If it throws, or finds none, and the response holds no error code, the response counts as lost, and calls reject with
   * a `ConfigurationError`: the server may have replaced the refresh token.
   */
  readonly read: BodyReader<ReturnedTokens | undefined | Promise<ReturnedTokens | undefined>>;
  /**
   * Returns whether a response without tokens says that the refresh token will never be accepted again. Only needed for
   * what the general rules do not recognize: they know `invalid_grant` and its aliases, whatever the status. `json` is
   * `undefined` if the body is empty; the function is not called if it is not JSON, because the response may be a proxy's.
   */
  readonly isTerminal?: BodyReader<boolean> | undefined;
  /** Additional headers of the request, or a function that returns them. */
  readonly headers?: HeaderValues | ((current: TokenSet) => HeaderValues) | undefined;
  /** Revokes tokens at the server. If given, `signOut` calls it. */
  readonly revoke?: RefreshFunction["revoke"];
  /**
   * Whether the endpoint may be plain `http` beyond this machine, for a server that only a private network reaches. Anyone
   * on the way can read and use the tokens. Default `false`.
   */
  readonly allowInsecure?: boolean | undefined;
  /** The `fetch` implementation to use. Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /** The deadline of an exchange in milliseconds, at most 20 minutes. Default 30,000. */
  readonly timeout?: number | undefined;
}

/**
 * Creates a refresh function for an endpoint that accepts and returns JSON with its own field names, and not the form of
 * {@link https://www.rfc-editor.org/rfc/rfc6749#section-6 RFC 6749 §6}. Each exchange is a single POST request, and
 * redirects are not followed. Error responses mean what they mean to `oauth2Refresh`: their body counts before their
 * status, and `Retry-After` is respected.
 *
 * @throws TypeError if an option is invalid; names the option and what is accepted
 */
export function jsonRefresh(options: JsonRefreshOptions): RefreshFunction {
  const own = checkOptions("jsonRefresh", optionTable, options);
  checkTransport({ endpoint: own.endpoint }, own.allowInsecure);
  const url = new URL(own.endpoint);
  const endpoint = withoutQuery(url);
  const refresh: RefreshFunction = (current, { signal }) => {
    const secrets = [...secretsInQuery(url), ...secretsOf(current)];
    return withEndpointErrors(
      () => secrets,
      { endpoint, timeout: own.timeout, signal },
      async (onSend) => {
        const request = await toRequest(own, current, secrets);
        onSend();
        const response = await (own.fetch ?? fetch)(url.href, { ...request, signal });
        return readTokens(response, own, endpoint);
      },
    );
  };
  const tokenOrigin = new URL(own.endpoint).origin;
  return Object.assign(refresh, { timeout: own.timeout, tokenOrigin, revoke: own.revoke });
}

const optionTable = {
  endpoint: [endpointSchema, ENDPOINT, "required"],
  body: [functionSchema, "a function that returns the request's body", "required"],
  read: [functionSchema, "a function that returns the tokens of a response", "required"],
  isTerminal: [functionSchema, "a function that returns true or false"],
  headers: [
    z.union([z.record(z.string(), z.string()), functionSchema]),
    "an object of strings, or a function that returns one",
  ],
  revoke: [functionSchema, "a function"],
  allowInsecure: [z.boolean(), "true or false"],
  fetch: [functionSchema, "a function"],
  timeout: [timeoutSchema, TIMEOUT],
} as const satisfies OptionTable & Record<keyof JsonRefreshOptions, unknown>;

/** Creates the request, and adds its secrets to `secrets`, so that no error shows them. */
async function toRequest({ body, headers }: JsonRefreshOptions, current: TokenSet, secrets: string[]) {
  const given = toHeaderList(typeof headers === "function" ? headers(current) : headers);
  secrets.push(...given.flatMap(([, value]) => [value, ...value.split(" ").slice(1)]));
  const json = toJson(await body(current), secrets);
  const complete = new Headers(given);
  if (!complete.has("accept")) complete.set("accept", "application/json");
  if (!complete.has("content-type")) complete.set("content-type", "application/json");
  return { method: "POST", redirect: "manual", headers: complete, body: json } as const;
}

/** Lists headers. A function may return them in any form that `Headers` takes. */
function toHeaderList(given: HeaderValues | undefined): [name: string, value: string][] {
  const list: [string, unknown][] = isIterable(given) ? [...given] : Object.entries(given ?? {});
  const invalid = list.find(([, value]) => typeof value !== "string");
  if (invalid) throw new TypeError(`headers: expected strings, but ${invalid[0]} is ${describeType(invalid[1])}.`);
  return list as [string, string][];
}

const isIterable = (given: object | undefined): given is Iterable<[string, unknown]> =>
  given !== undefined && Symbol.iterator in given;

function toJson(body: unknown, secrets: string[]): string {
  const json: string | undefined = JSON.stringify(body);
  if (json === undefined) throw new TypeError(`body: expected to return a JSON value, not ${typeof body}.`);
  const texts = textsIn(JSON.parse(json));
  secrets.push(...texts.filter(([name]) => SECRET_NAME.test(name)).map(([, text]) => text));
  if (texts.some(([, text]) => text === PLACEHOLDER)) throw new TypeError(NOT_COPIED);
  return json;
}

const NOT_COPIED = `body: it contains the placeholder "${PLACEHOLDER}", because the JSON of a token set leaves out the secrets. Return only what the endpoint needs, such as { refreshToken: current.refreshToken }.`;

const MAX_DEPTH = 8;

/** Returns the texts in a JSON value with their names. */
function textsIn(value: unknown, name = "", depth = MAX_DEPTH): [name: string, text: string][] {
  if (typeof value === "string") return [[name, value]];
  if (typeof value !== "object" || value === null || depth === 0) return [];
  return Object.entries(value).flatMap(([key, each]) => textsIn(each, key, depth - 1));
}

async function readTokens(
  response: Response,
  { read, isTerminal }: JsonRefreshOptions,
  endpoint: string,
): Promise<ReturnedTokens> {
  const text = await response.text();
  const json = tryJson(text);
  const { ok, status } = response;
  const secrets = textsIn(json).map(([, each]) => each); // of the new tokens, for one
  const result = ok && json ? await call(secrets, () => read(json, status)) : undefined;
  const tokens = toTokens(result?.value, response);
  if (tokens) return tokens;
  const error = toResponseError(response, text, { endpoint });
  const judged = error.body === "other" ? undefined : await call(secrets, () => isTerminal?.(json, status));
  const cause = result?.error ?? judged?.error;
  if (judged?.value === true && error.error !== "invalid_grant")
    throw new TokenEndpointError({ ...error, ...terminal(error), cause });
  throw new TokenEndpointError({ ...error, description: error.description ?? describe(error, result), cause });
}

interface Result {
  readonly value?: unknown;
  /** The exception, without secrets. */
  readonly error?: Error;
}

async function call(secrets: readonly string[], run: () => unknown): Promise<Result> {
  try {
    return { value: await run() };
  } catch (error) {
    return { error: redact(error, secrets) };
  }
}

/** Returns what `read` returned if it holds tokens. */
function toTokens(returned: unknown, response: Response): ReturnedTokens | undefined {
  if (parseTokenResponse(returned, 0)) {
    const tokens = returned as TokenResponse;
    return { ...tokens, expires_in: tokens.expires_in ?? lifetimeByServer(tokens.access_token, response) };
  }
  const isTokenSet = (parseReturnedTokens(returned) ?? parseTokenUpdate(returned, 0)) !== undefined;
  return isTokenSet ? (returned as TokenSetInput) : undefined;
}

/** Reports what only the option `isTerminal` recognized by the code that every part of this library knows. */
const terminal = ({ error, description }: TokenEndpointError) => ({
  error: "invalid_grant",
  description: ["according to the option isTerminal", error, description]
    .filter((each) => each !== undefined)
    .join(": "),
});

const describe = (error: TokenEndpointError, result: Result | undefined): string | undefined => {
  if (result === undefined || error.error !== undefined) return undefined;
  if (result.error) return `${UNREAD}failed with ${result.error.name}`;
  return `${UNREAD}returned no tokens${explainPlaceholders(result.value)}`;
};
