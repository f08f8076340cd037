import { TokenEndpointError } from "../errors.ts";
import { secretsOf } from "../tokens/token-set.ts";
import type { Clock, ProviderProfile, RefreshFunction, TokenSet } from "../types.ts";
import { classifyAnswer, classifyError, type Outcome } from "./classify.ts";

const DEADLINE = 30_000;

/** The exchange's deadline in milliseconds. */
export const deadlineOf = (refresh: RefreshFunction): number => refresh.timeout ?? DEADLINE;

/** What is sent, and under which name. */
export interface Request {
  readonly refresh: RefreshFunction;
  readonly tokens: TokenSet;
  readonly attemptId: string;
  /** Epoch milliseconds. */
  readonly sentAt: number;
}

/** One POST under its deadline. */
export interface Exchange {
  /** How it ended, or `lost` as soon as the deadline has passed. */
  readonly outcome: Promise<Outcome>;
  /** How it ended in the end, also after the deadline. */
  readonly late: Promise<Outcome>;
}

/** Step 4 of the protocol. Nothing but the deadline cancels it, and it keeps the process alive until then. */
export function exchange(
  { refresh, tokens, attemptId, sentAt }: Request,
  clock: Clock,
  profile: ProviderProfile,
): Exchange {
  const secrets = secretsOf(tokens);
  const controller = new AbortController();
  const late = (async () => refresh(tokens, { signal: controller.signal, attemptId }))()
    .then((response) => classifyAnswer(response, { sentAt, profile, secrets }))
    .catch((error: unknown) => classifyError(error, profile, secrets));
  const outcome = new Promise<Outcome>((resolve) => {
    const onDeadline = () => {
      const cause = new DOMException(`No answer within ${deadlineOf(refresh)} ms.`, "TimeoutError");
      controller.abort(cause);
      resolve({ kind: "lost", error: new TokenEndpointError({ sent: true, cause }) });
    };
    const cancel = clock.setTimer(onDeadline, deadlineOf(refresh), true);
    void late.then(resolve).finally(cancel);
  });
  return { outcome, late };
}
