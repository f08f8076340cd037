import * as oauth from "oauth4webapi";
import { TokenEndpointError } from "../errors.ts";
import { withEndpointErrors } from "../token-endpoint/endpoint-response.ts";
import { secretsInQuery, withoutQuery } from "../token-endpoint/endpoint-url.ts";
import { withFetch, withTimeout } from "../token-endpoint/request.ts";
import { abortable } from "../util/abortable.ts";
import { DEFAULT_TIMEOUT } from "../util/deadline.ts";

/** How requests are sent. */
export interface SendOptions {
  /** The `fetch` implementation to use. Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /** The deadline of each request in milliseconds, at most 20 minutes. Default 30,000. */
  readonly timeout?: number | undefined;
}

/** A request to one endpoint. */
export interface ServerRequest extends SendOptions {
  readonly url: URL;
  /** The kind of endpoint, for messages. */
  readonly kind: string;
  /** Returns the secrets that must not appear in an error. */
  readonly secrets?: (() => readonly string[]) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Options of the functions of `oauth4webapi`. The endpoints have been checked before. */
export interface OAuthOptions {
  readonly signal: AbortSignal;
  readonly [oauth.allowInsecureRequests]: true;
  readonly [oauth.customFetch]: typeof fetch;
}

/** The names under which an error and its reader know the endpoint. */
export interface EndpointName {
  readonly endpoint: string;
  readonly kind: string;
}

/**
 * Sends a request, and returns what `run` makes of the response. `onSend` is called just before.
 *
 * @throws the reason of the caller's signal if that aborts; otherwise TokenEndpointError without secrets
 */
export async function sendRequest<T>(
  { url, kind, secrets = () => [], signal, fetch, timeout = DEFAULT_TIMEOUT }: ServerRequest,
  run: (options: OAuthOptions, name: EndpointName) => Promise<T>,
  onSend: () => void = () => {},
): Promise<T> {
  const name = { endpoint: withoutQuery(url), kind };
  const allSecrets = () => [...secretsInQuery(url), ...secrets()];
  const send = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: fetch } as const;
  try {
    return await withTimeout(
      timeout,
      (ending) =>
        withEndpointErrors(allSecrets, { ...name, timeout, signal: ending }, (onReady) => {
          const options = withFetch(send, () => {
            onReady();
            onSend();
          });
          return abortable(run({ ...options, signal: ending }, name), ending);
        }),
      signal,
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Returns the error for a successful response that lacks a member. */
export const without = (member: string, { status }: Response, { endpoint, kind }: EndpointName): TokenEndpointError =>
  new TokenEndpointError({ status, sent: true, endpoint, endpointKind: kind, description: `no ${member}` });
