import * as z from "zod/mini";
import { responseOf } from "../http/auth-error.ts";
import { isAboutRights } from "../http/challenge.ts";
import { surfaceUseless } from "../http/surfaced.ts";
import type { RejectingResponse, TokenSource } from "../types.ts";
import { checkOptions, functionSchema, type OptionTable } from "../util/check-options.ts";
import { describeType } from "../util/describe-type.ts";
import { settleInTime } from "../util/settle-in-time.ts";
import {
  assertTokenSource,
  isRejectionFor,
  requestReplacement,
  requestTokens,
  sourceOfCall,
} from "../util/token-source.ts";

/** Options of {@link withToken}. */
export interface WithTokenOptions {
  /**
   * Returns whether an error of `run` means that the server rejected the token. A promise has 30 seconds to settle.
   * Default: the error has the status 401, or one that the source names, in any of the shapes that popular clients throw,
   * unless the response says that the token lacks a right (`insufficient_scope`).
   */
  readonly isRejected?: ((error: unknown) => boolean | Promise<boolean>) | undefined;
  /**
   * Aborts the wait for a token, and prevents the second run. A run that has begun is yours to end: pass it the same
   * signal.
   */
  readonly signal?: AbortSignal | null | undefined;
}

/**
 * Calls `run` with an access token, and once more, with a newer token, if the server rejected the first: for WebSockets,
 * event streams, SDKs, and whatever else is not an HTTP client with an adapter. Returns the result of `run`.
 *
 * Errors of `run` are passed on unchanged: those that are not rejections, that of the second run, and that of the first if
 * its token was obtained too recently for another one to help. A result is never a rejection: throw an error for it.
 *
 * Also rejects like `getAccessToken` and `replaceRejected`. If `isRejected` fails, rejects with an error whose `cause` is that
 * failure, and whose `suppressed` is the error of `run`.
 *
 * @throws TypeError if an argument or an option is invalid
 */
export async function withToken<T>(
  tokens: TokenSource,
  run: (accessToken: string) => T | Promise<T>,
  options: WithTokenOptions = {},
): Promise<T> {
  assertTokenSource(tokens, "tokens");
  if (typeof run !== "function") throw new TypeError(`run: expected a function, not ${describeType(run)}.`);
  const { isRejected, signal } = checkOptions("withToken", optionTable, options);
  const source = sourceOfCall(tokens);
  const { accessToken } = await requestTokens(source, { signal });
  try {
    return await run(accessToken);
  } catch (error) {
    const response = responseOf(error);
    const isRejection = isRejected
      ? await decide(isRejected, error, signal)
      : isRejectedBy(response, source, accessToken);
    if (!isRejection) throw error;
    const renewal = requestReplacement(source, accessToken, { signal, response });
    const newer = await renewal.catch(surfaceUseless(response?.status));
    if (newer === undefined) throw error;
    return run(newer);
  }
}

const LATE = "isRejected did not settle within 30 seconds. Check that it does not wait for the connection.";

/** Calls `isRejected`. If that fails, the error of `run` must not be lost. */
async function decide(
  isRejected: NonNullable<WithTokenOptions["isRejected"]>,
  error: unknown,
  signal: WithTokenOptions["signal"],
): Promise<boolean> {
  try {
    return await settleInTime(isRejected(error), { signal, message: LATE });
  } catch (cause) {
    signal?.throwIfAborted();
    const failure = new Error("isRejected failed for an error of run, which is `suppressed`.", { cause });
    throw Object.assign(failure, { suppressed: error });
  }
}

const isRejectedBy = (response: RejectingResponse | undefined, tokens: TokenSource, accessToken: string): boolean =>
  response !== undefined &&
  isRejectionFor(tokens, response.status, accessToken) &&
  !isAboutRights(response.headers?.get("www-authenticate"));

const signalSchema = z.custom((value) => typeof Object(value).addEventListener === "function");

const optionTable = {
  isRejected: [functionSchema, "a function from an error to true or false"],
  signal: [z.nullable(signalSchema), "an AbortSignal"],
} as const satisfies OptionTable & Record<keyof WithTokenOptions, unknown>;
