import { classifyAnswer, classifyError, type Outcome } from "./classify.ts";
import { TokenEndpointError } from "./errors.ts";
import { secretsOf } from "./token-set.ts";
import type { Clock, ProviderProfile, RefreshFunction, TokenSet } from "./types.ts";

const DEADLINE = 30_000;

/** The exchange's deadline in milliseconds. */
export const deadlineOf = (refresh: RefreshFunction): number => refresh.timeout ?? DEADLINE;

/** One POST under its deadline. */
export interface Exchange {
  /** How it ended, or `lost` as soon as the deadline has passed. */
  readonly outcome: Promise<Outcome>;
  /** How it ended in the end, also after the deadline. */
  readonly late: Promise<Outcome>;
}

/** Step 4 of the protocol. Nothing but the deadline cancels it, and it keeps the process alive until then. */
export function exchange(
  refresh: RefreshFunction,
  current: TokenSet,
  attemptId: string,
  context: { readonly clock: Clock; readonly profile: ProviderProfile; readonly sentAt: number },
): Exchange {
  const { clock, profile, sentAt } = context;
  const secrets = secretsOf(current);
  const controller = new AbortController();
  const late = (async () => refresh(current, { signal: controller.signal, attemptId }))().then(
    (response) => classifyAnswer(response, sentAt, profile, secrets),
    (error: unknown) => classifyError(error, profile, secrets),
  );
  const outcome = new Promise<Outcome>((resolve) => {
    const deadline = deadlineOf(refresh);
    const cancel = clock.setTimer(
      () => {
        const cause = new Error(`No answer within ${deadline} ms.`);
        controller.abort(new DOMException(cause.message, "TimeoutError"));
        resolve({ kind: "lost", error: new TokenEndpointError({ sent: true, cause }) });
      },
      deadline,
      true,
    );
    late.then(resolve).finally(cancel);
  });
  return { outcome, late };
}
