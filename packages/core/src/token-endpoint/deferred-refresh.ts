import { TokenEndpointError } from "../errors.ts";
import { originError, tokenOriginOf } from "../tokens/token-origin.ts";
import { secretsOf } from "../tokens/token-set.ts";
import type { RefreshFunction, TokenSet } from "../types.ts";
import { abortable } from "../util/abortable.ts";
import { systemClock } from "../util/clock.ts";
import { DEFAULT_TIMEOUT, withDeadline } from "../util/deadline.ts";
import { toJudgedError } from "./error-response.ts";

/** In milliseconds: the deadline of the exchange comes later, and would count as a lost response. */
const milliseconds = DEFAULT_TIMEOUT / 2;
const message = `The function passed to oauth2Refresh returned no options within ${milliseconds} ms.`;

/**
 * Returns a refresh function that `create` creates when it is needed for the first time. Concurrent calls share one call
 * of `create`. If that fails, or takes longer than 15 s, nothing has been sent, and the next exchange calls it again. The
 * timeout of the created function counts from the next exchange on.
 */
export function deferRefresh(create: () => Promise<RefreshFunction>): RefreshFunction {
  let known: RefreshFunction | undefined;
  let creating: Promise<RefreshFunction> | undefined;
  const start = (): Promise<RefreshFunction> => {
    const created = create();
    const keep = (refresh: RefreshFunction) => {
      known ??= refresh; // even if it comes too late for this exchange
    };
    created.then(keep, () => {}); // a failure is reported to those that wait
    creating = created;
    return created;
  };
  const obtain = async (tokens: TokenSet, signal?: AbortSignal): Promise<RefreshFunction> => {
    if (known) return known;
    const shared = creating ?? start();
    try {
      return await withDeadline(() => abortable(shared, signal), systemClock, { milliseconds, message });
    } catch (error) {
      if (creating === shared) creating = undefined; // it failed, or may never end
      const cause = new Error("The options of oauth2Refresh could not be obtained.", { cause: error });
      throw toJudgedError(new TokenEndpointError({ sent: false, cause }), secretsOf(tokens));
    }
  };
  const refresh: RefreshFunction = async (current, context) => {
    const created = await obtain(current, context.signal);
    const cause = originError(tokenOriginOf(current), originOf(created)); // if the origin was not known before the claim
    if (cause) throw new TokenEndpointError({ sent: false, cause });
    return created(current, context);
  };
  const tokenOrigin = async () => originOf(await obtain(NO_TOKENS));
  const revoke = async (tokens: TokenSet): Promise<unknown> => {
    const { revoke: revokeAt } = await obtain(tokens);
    return revokeAt ? revokeAt(tokens) : false;
  };
  Object.defineProperty(refresh, "timeout", { get: () => known?.timeout, enumerable: true });
  return Object.assign(refresh, { revoke, tokenOrigin });
}

const NO_TOKENS: TokenSet = { accessToken: "", tokenType: "Bearer", extra: {} };

const originOf = ({ tokenOrigin }: RefreshFunction) => (typeof tokenOrigin === "string" ? tokenOrigin : undefined);
