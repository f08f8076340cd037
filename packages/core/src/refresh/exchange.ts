import { TokenEndpointError } from "../errors.ts";
import { secretsOf } from "../tokens/token-set.ts";
import type { Clock, ProviderProfile, RefreshFunction, TokenSet } from "../types.ts";
import type { CallScope } from "../util/call-scope.ts";
import { DEFAULT_TIMEOUT, onPunctualTick } from "../util/deadline.ts";
import { classifyError, classifyResponse, type Outcome } from "./classify.ts";

const LONGEST_DEADLINE = 20 * 60_000; // a claim has to outlast it, and readers limit leases to an hour

/** Returns the deadline of an exchange in milliseconds. */
export const deadlineOf = (refresh: RefreshFunction | undefined): number =>
  Math.min(refresh?.timeout ?? DEFAULT_TIMEOUT, LONGEST_DEADLINE);

/** The parameters of an exchange. */
export interface ExchangeRequest {
  readonly refresh: RefreshFunction;
  readonly tokens: TokenSet;
  readonly attemptId: string;
  /** Epoch milliseconds. */
  readonly sentAt: number;
  /** The scope in which the refresh function runs. */
  readonly scope: CallScope;
  /** Milliseconds. */
  readonly deadline: number;
}

/** A running exchange: one POST request with a deadline. */
export interface Exchange {
  /** The outcome. Once the deadline has passed, that is `lost`, unless the function rejects at once in another way. */
  readonly outcome: Promise<Outcome>;
  /** The actual outcome, even if it arrives after the deadline. */
  readonly late: Promise<Outcome>;
}

/** Step 4 of the protocol: starts an exchange. Only its deadline cancels it; until then it keeps the process alive. */
export function exchange(
  { refresh, tokens, attemptId, sentAt, scope, deadline }: ExchangeRequest,
  clock: Clock,
  profile: ProviderProfile,
): Exchange {
  const secrets = secretsOf(tokens);
  const controller = new AbortController();
  const late = scope
    .run(async () => refresh(tokens, { signal: controller.signal, attemptId }))
    .then((response) => classifyResponse(response, { sentAt, profile, idToken: tokens.idToken, secrets }))
    .catch((error: unknown) => classifyError(error, profile, secrets))
    .catch((): Outcome => ({ kind: "lost", error: new TokenEndpointError({ sent: true }) })); // the value cannot be read
  const outcome = new Promise<Outcome>((resolve) => {
    const onDeadline = () => {
      const cause = new DOMException(`No response within ${deadline} ms.`, "TimeoutError");
      const lost: Outcome = { kind: "lost", error: new TokenEndpointError({ sent: true, cause }) };
      controller.abort(cause);
      cancel = clock.setTimer(() => resolve(lost), 0, true); // the function can tell now that it has sent nothing
    };
    let cancel = onPunctualTick(onDeadline, clock, { milliseconds: deadline });
    void late.then(resolve).finally(() => cancel());
  });
  return { outcome, late };
}
