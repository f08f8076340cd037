import { type Attempt, digestOf, keyOf, rotationOf, type SessionRecord } from "../record/record.ts";
import { withTokenOrigin } from "../tokens/token-origin.ts";
import { hideSecrets, mergeTokenSets } from "../tokens/token-set.ts";
import type { TokenSet } from "../types.ts";
import { CallScope } from "../util/call-scope.ts";
import { toTime } from "../util/clock.ts";
import type { Claim, Claims } from "./claim.ts";
import type { Failure, Outcome, Rotated } from "./classify.ts";
import { exchange } from "./exchange.ts";
import { endOf, failedAttempt, failureOf, incompleteError } from "./failure.ts";
import type { PendingChanges } from "./pending-changes.ts";
import type { RefreshDeps, RefreshHost } from "./renewal.ts";
import type { Rotation } from "./rotation.ts";

type ExchangerDeps = Pick<RefreshDeps, "clock" | "profile"> & {
  readonly claims: Claims;
  readonly pending: PendingChanges;
};

type Incomplete = Outcome & { readonly kind: "incomplete" };
type OtherAccount = Outcome & { readonly kind: "other-account" };

/** The response, as the cause of the errors. */
const OTHER_ACCOUNT = { status: 200, description: "tokens of another account" };

/** Steps 4 to 6 of the protocol: exchanges the refresh token of a claim, and stores what came of it. */
export class Exchanger {
  readonly #deps: ExchangerDeps;
  readonly #host: RefreshHost;
  /** The scope of the refresh function. */
  readonly scope = new CallScope();
  isRunning = false;

  constructor(deps: ExchangerDeps, host: RefreshHost) {
    this.#deps = deps;
    this.#host = host;
  }

  /** Resolves to whether the renewal is complete. */
  async run(claim: Claim): Promise<boolean> {
    const { clock, profile } = this.#deps;
    const { id: attemptId, afterLoss } = claim.attempt;
    const [sentAt, began] = [clock.now(), clock.monotonic()];
    this.#host.announce({ type: "exchange-started", attemptId, afterLoss });
    const { outcome, late } = exchange(
      { ...claim, tokens: markedTokens(claim), attemptId, sentAt, scope: this.scope },
      clock,
      profile,
    );
    this.isRunning = true;
    const result = await outcome;
    this.isRunning = false;
    switch (result.kind) {
      case "rotated": {
        const isKept = await this.#commit(result, claim, sentAt);
        const { expiresAt } = result.tokens;
        const duration = Math.round(clock.monotonic() - began);
        if (isKept) this.#host.announce({ type: "refreshed", attemptId, expiresAt, duration });
        return true;
      }
      case "incomplete":
        return this.#keep(claim, result);
      case "other-account":
        return this.#discard(claim, result);
      default:
        if (result.kind === "lost") this.#commitLate(late, claim, sentAt);
        return this.#fail(claim, result);
    }
  }

  /** Commits new tokens, and resolves to whether they were kept. */
  #commit({ tokens, unreadable }: Rotated, claim: Claim, sentAt: number): Promise<boolean> {
    const { id: attemptId } = claim.attempt;
    if (unreadable.length > 0) this.#host.announce({ type: "members-ignored", attemptId, members: unreadable });
    return this.#deps.pending.commit(toRotation(claim, tokens, sentAt), claim.stored);
  }

  /** Commits a response that arrives after the deadline, because a received token must never be lost. */
  #commitLate(late: Promise<Outcome>, claim: Claim, sentAt: number): void {
    void late.then((result) => {
      switch (result.kind) {
        case "rotated":
          return this.#commit(result, claim, sentAt);
        case "incomplete":
          return this.#keep(claim, result);
        case "other-account":
          return this.#discard(claim, result);
        default:
          return undefined;
      }
    });
  }

  /** Ends a session whose exchange returned tokens of another account. */
  async #discard(claim: Claim, { tokens }: OtherAccount): Promise<boolean> {
    this.#deps.pending.revoke(tokens);
    await this.#deps.claims.endSession(endedBy(claim), { reason: "account_changed", response: OTHER_ACCOUNT });
    return true;
  }

  /** Keeps a refresh token that came without an access token, and starts a back-off: the next response may be the same. */
  async #keep({ stored, tokens, attempt }: Claim, { update, error }: Incomplete): Promise<boolean> {
    const { clock, profile, pending } = this.#deps;
    const isUsable = this.#host.isUsable(stored.record);
    const digest = digestOf(update.refreshToken);
    const failed = {
      ...failedAttempt({ ...attempt, digest }, { kind: "transient", error }, { clock, profile, isUsable }),
      afterLoss: false, // what became of the previous refresh token no longer matters
      mayBeSpent: undefined,
    };
    const kept = mergeTokenSets(tokens, { ...tokens, ...update });
    const rotation = rotationOf(stored.record) + 1;
    const record = { ...stored.record, rotation, tokens: kept, attempt: failed, dead: undefined };
    pending.endings.remember(keyOf(failed), { apply: (found) => found, error: incompleteError(error) });
    await pending.commit({ base: stored.record, record }, stored);
    this.#announceFailure(failed, { kind: "misconfigured", error });
    return false;
  }

  /** Ends the session, or releases the claim and starts a back-off. */
  async #fail(claim: Claim, failure: Failure): Promise<boolean> {
    const { clock, profile, claims } = this.#deps;
    const { attempt, stored } = claim;
    const isUsable = this.#host.isUsable(stored.record);
    const failed = failedAttempt(attempt, failure, { clock, profile, isUsable });
    const end = endOf(failed, failure);
    if (end) {
      await claims.endSession(endedBy(claim), { ...end, response: failed.response });
      return true;
    }
    await claims.release(failed, failureOf(failure), stored);
    this.#announceFailure(failed, failure);
    return false;
  }

  #announceFailure({ endedAt = 0, retryIn = 0, response }: Attempt, { kind, error }: Failure): void {
    const code = error.error ?? kind;
    const cause = response && { cause: response };
    this.#host.announce({ type: "refresh-failed", code, retryAt: endedAt + retryIn, ...cause });
  }
}

const markedTokens = ({ tokens, stored }: Claim): TokenSet => {
  const { tokenOrigin } = stored.record.client ?? {};
  return tokenOrigin === undefined ? tokens : withTokenOrigin(tokens, tokenOrigin);
};

const endedBy = ({ attempt }: Claim) => ({ digest: attempt.digest, attempt });

function toRotation({ stored, tokens }: Claim, received: TokenSet, sentAt: number): Rotation {
  const merged = mergeTokenSets(tokens, received);
  const refreshTokenExpiresAt = merged.refreshTokenExpiresAt ?? expiryOfSuccessor(stored.record, sentAt);
  const record = {
    ...stored.record,
    rotation: rotationOf(stored.record) + 1,
    tokens: hideSecrets({ ...merged, refreshTokenExpiresAt }),
    obtainedAt: sentAt,
    renewed: true,
    attempt: undefined,
    dead: undefined,
  };
  return { base: stored.record, record };
}

/** Servers that tell no expiry of a new refresh token are taken to grant the lifetime of the previous one again. */
function expiryOfSuccessor({ tokens, obtainedAt }: SessionRecord, sentAt: number): number | undefined {
  const lifetime = (tokens?.refreshTokenExpiresAt ?? 0) - obtainedAt;
  return lifetime > 0 ? toTime(sentAt + lifetime) : undefined;
}
