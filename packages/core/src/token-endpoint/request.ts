import * as oauth from "oauth4webapi";
import type { TokenResponse } from "../types.ts";
import { systemClock } from "../util/clock.ts";
import { type EndpointRequest, lifetimeByServer, toResponseError, tryJson } from "./endpoint-response.ts";

/** A scope, and the resources that the tokens are for. */
export interface Requested {
  readonly scope?: string | undefined;
  readonly resource?: string | readonly string[] | undefined;
}

/** Returns the parameters of a request: the resource once for each ({@link https://www.rfc-editor.org/rfc/rfc8707 RFC 8707}). */
export function parametersOf({ scope, resource }: Requested): URLSearchParams {
  const parameters = new URLSearchParams();
  if (scope !== undefined) parameters.set("scope", scope);
  for (const each of resource === undefined ? [] : [resource].flat()) parameters.append("resource", each);
  return parameters;
}

/** Calls `onSend` when the request is about to be sent: not before the client has been authenticated. */
export function withFetch<T extends object>(
  send: T & { [oauth.customFetch]: typeof fetch | undefined },
  onSend: () => void,
) {
  const custom: typeof fetch = (input, init) => {
    onSend();
    return (send[oauth.customFetch] ?? fetch)(input, init);
  };
  return { ...send, [oauth.customFetch]: custom };
}

/** Runs `run` with a signal that aborts after that many milliseconds, or with `outer`. */
export async function withTimeout<T>(
  milliseconds: number,
  run: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort(new DOMException(`No response within ${milliseconds} ms.`, "TimeoutError"));
  const cancel = systemClock.setTimer(stop, milliseconds, true);
  const signal = outer ? AbortSignal.any([outer, controller.signal]) : controller.signal;
  return run(signal).finally(cancel);
}

/** Checks the body before the status: some servers send errors with status 200, or `invalid_grant` with status 403. */
export async function readTokens(
  response: Response,
  request: Pick<EndpointRequest, "endpoint" | "kind">,
): Promise<TokenResponse> {
  const text = await response.text();
  const body = tryJson(text);
  if (response.ok && typeof body?.access_token === "string") {
    return { expires_in: lifetimeByServer(body.access_token, response), ...body } as TokenResponse;
  }
  // A refresh token without an access token is classified, and kept, by the caller.
  if (response.ok && typeof body?.refresh_token === "string" && body.refresh_token) return body as TokenResponse;
  throw toResponseError(response, text, request);
}
