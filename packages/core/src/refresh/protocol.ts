import { ConfigurationError, RefreshFailedError } from "../errors.ts";
import { type Attempt, currentDigest, type Digest, endRecord } from "../record/record.ts";
import type { Stored } from "../record/record-store.ts";
import { succeed } from "../tokens/token-set.ts";
import type { DeadReason, TokenSet } from "../types.ts";
import { AttemptTracker } from "./attempt-tracker.ts";
import { backoff } from "./backoff.ts";
import { type Claim, Claims } from "./claim.ts";
import type { Outcome } from "./classify.ts";
import { Committer, type Rotation } from "./commit.ts";
import { type Decision, decide } from "./decide.ts";
import { exchange } from "./exchange.ts";
import { LOOK_INTERVAL, type RefreshDeps, type RefreshHost, type RenewalGoal } from "./renewal.ts";

const FIRST_POLL = 5;
const LONGEST_POLL = 25;

/** One look at the store during a renewal. */
interface Look {
  readonly stored: Stored | undefined;
  /** Whether the tokens are other ones than at the renewal's first look. */
  readonly isChanged: boolean;
  /** Milliseconds since the look before, as planned. */
  readonly interval: number;
}

/** The refresh protocol: look, claim, exchange, commit, and what to do about a lost answer. One run at a time. */
export class RefreshProtocol {
  readonly #deps: RefreshDeps;
  readonly #host: RefreshHost;
  readonly #attempts: AttemptTracker;
  readonly #claims: Claims;
  readonly #committer: Committer;
  #lastFailure: { readonly id: string; readonly error: Error } | undefined;
  #wake: (() => void) | undefined;

  constructor(deps: RefreshDeps, host: RefreshHost) {
    this.#deps = deps;
    this.#host = host;
    this.#attempts = new AttemptTracker(deps.clock, deps.holder);
    this.#claims = new Claims(deps, host);
    this.#committer = new Committer(deps, host);
  }

  /** The stored session, as far as the store knows what we know. */
  async load(): Promise<Stored | undefined> {
    return this.#claims.asKnown(await this.#committer.load());
  }

  /** Writes what the store has refused so far, if it takes it now. */
  close(): Promise<void> {
    return this.#committer.close();
  }

  /** Nothing is left to write: the session was signed out, or is another one. */
  forget(): void {
    this.#committer.forget();
  }

  /**
   * Brings the session further: another holder's tokens, our own exchange, or the end. Resolves to `false` where
   * somebody else is at it and `isUrgent` says that nobody waits.
   *
   * @throws RefreshFailedError, ConfigurationError, StoreError
   */
  async renew(goal: RenewalGoal, isUrgent: () => boolean): Promise<boolean> {
    const first = await this.load();
    let interval = isUrgent() ? FIRST_POLL : LOOK_INTERVAL;
    for (let stored = first; ; stored = await this.load()) {
      const isChanged = stored?.record.tokens?.accessToken !== first?.record.tokens?.accessToken;
      const look = { stored, isChanged, interval };
      const decision = await this.#decide(goal, look);
      if (await this.#act(decision, look)) return true;
      if (decision.do !== "wait") continue;
      if (!isUrgent()) return false;
      await this.#pause(interval);
      interval = Math.min(interval * 2, LONGEST_POLL);
    }
  }

  /** The store may have changed: whoever waits for another holder looks now. */
  wake(): void {
    this.#wake?.();
  }

  #pause(interval: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#deps.clock.setTimer(resolve, interval, true);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  async #decide(goal: RenewalGoal, { stored, isChanged, interval }: Look): Promise<Decision> {
    const { clock, profile } = this.#deps;
    const { account, record: known } = this.#host.session;
    const record = stored?.record;
    return decide(record, {
      goal,
      account,
      known,
      isUsable: record !== undefined && (isChanged || this.#host.isUsable(record)), // whatever our clock says, it is new
      isDue: record !== undefined && this.#host.isDue(record),
      attempt: await this.#attempts.look(record?.attempt, interval),
      profile,
      now: clock.now(),
    });
  }

  /** Whether the renewal is over; else look again. */
  async #act(decision: Decision, { stored, isChanged }: Look): Promise<boolean> {
    switch (decision.do) {
      case "stop":
        this.#host.observe(stored?.record, isChanged ? "change" : "store");
        return true;
      case "wait":
        this.#host.observe(stored?.record, "store");
        return false;
      case "restore":
        await this.#restore(stored);
        return false;
      case "lose":
        await this.#claims.release({ ...decision.attempt, status: "lost" }, stored);
        return false;
      case "back-off":
        throw this.#failureOf(decision.attempt, decision.retryAt);
      case "end":
        await this.#end(decision.digest, decision.reason);
        return true;
      case "claim": {
        const claim = await this.#claims.claim(decision, stored);
        if (claim) return this.#exchange(claim);
        await this.#pause(FIRST_POLL); // somebody else was first, unless the store never tells us who
        return false;
      }
    }
  }

  /** Why nobody tries before `retryAt`: what the attempt ran into, if it was ours. */
  #failureOf({ id }: Attempt, retryAt: number): Error {
    const error = this.#lastFailure?.id === id ? this.#lastFailure.error : undefined;
    return error instanceof ConfigurationError ? error : new RefreshFailedError(retryAt, { cause: error });
  }

  /** A spent refresh token stands over our newer one. */
  async #restore(stored: Stored | undefined): Promise<void> {
    const { records } = this.#deps;
    const { record } = this.#host.session;
    const spent = [...new Set([...(stored?.record.spent ?? []), ...(record?.spent ?? [])])];
    const attempts = [stored?.record.attempt, record?.attempt]; // an exchange of ours may be in flight
    const attempt = attempts.find((each) => each?.digest === currentDigest(record));
    if (record && (await records.save({ ...record, attempt, spent }, stored))) {
      this.#host.announce({ type: "restored", place: records.place });
    }
  }

  /** Steps 4 to 6. Whether the renewal is over. */
  async #exchange(claim: Claim): Promise<boolean> {
    const { clock, profile } = this.#deps;
    const { id: attemptId, afterLoss, digest } = claim.attempt;
    const [sentAt, began] = [clock.now(), clock.monotonic()];
    this.#host.announce({ type: "exchange-started", attemptId, afterLoss });
    const { outcome, late } = exchange({ ...claim, attemptId, sentAt }, clock, profile);
    const result = await outcome;
    if (result.kind === "rotated") {
      const isKept = await this.#committer.commit(toRotation(claim, result.tokens, sentAt), claim.stored);
      const { expiresAt } = result.tokens;
      if (isKept) this.#host.announce({ type: "refreshed", attemptId, expiresAt, duration: clock.monotonic() - began });
      return true;
    }
    if (result.kind === "terminal") {
      await this.#end(digest, afterLoss ? "answer_lost" : result.reason);
      return true;
    }
    if (result.kind === "lost") this.#commitLate(late, claim, sentAt);
    await this.#fail(claim, result);
    return false;
  }

  /** An answer after the deadline is still a rotation: nothing throws a received token away. */
  #commitLate(late: Promise<Outcome>, claim: Claim, sentAt: number): void {
    void late.then((answer) => {
      if (answer.kind !== "rotated") return undefined;
      return this.#committer.commit(toRotation(claim, answer.tokens, sentAt), claim.stored);
    });
  }

  /** Step 6, a terminal answer: by compare-and-set on the token that failed, so that it never hits a newer one. */
  async #end(digest: Digest, reason: DeadReason): Promise<void> {
    const { records } = this.#deps;
    const dead = { reason, digest };
    try {
      for (;;) {
        const stored = await records.load();
        if (!stored || currentDigest(stored.record) !== digest) return this.#host.observe(stored?.record, "store");
        const saved = await records.save(endRecord(stored.record, dead), stored);
        if (saved) return this.#host.observe(saved.record, "store");
      }
    } catch {
      const { record } = this.#host.session;
      if (record && currentDigest(record) === digest) this.#host.observe(endRecord(record, dead), "store"); // known here, if nowhere else
    }
  }

  /** Step 6, no tokens and no verdict: the claim is given up, and everybody leaves the endpoint alone for a while. */
  async #fail({ stored, attempt }: Claim, result: Exclude<Outcome, { kind: "rotated" | "terminal" }>): Promise<void> {
    const { clock, profile } = this.#deps;
    const { kind, error } = result;
    const failures = attempt.failures + 1;
    const isGraceful = kind === "lost" && profile.graceSeconds > 0 && !attempt.afterLoss;
    const retryIn = isGraceful ? 0 : backoff(failures, error.retryAfter, clock);
    const endedAt = clock.now();
    const status = kind === "lost" ? "lost" : "failed";
    await this.#claims.release({ ...attempt, status, failures, endedAt, retryIn }, stored);
    this.#host.announce({ type: "refresh-failed", code: error.error ?? kind, retryAt: endedAt + retryIn });
    this.#lastFailure = { id: attempt.id, error: kind === "misconfigured" ? toConfigurationError(error) : error };
  }
}

const toConfigurationError = (cause: Error): ConfigurationError => {
  const advice = "Check the client id, its authentication and the requested scope. The session is untouched.";
  return new ConfigurationError(`${cause.message}. ${advice}`, { cause });
};

const toRotation = ({ stored, tokens, attempt }: Claim, received: TokenSet, sentAt: number): Rotation => ({
  presented: attempt.digest,
  record: {
    schema: 1,
    account: stored.record.account,
    tokens: succeed(tokens, received),
    obtainedAt: sentAt,
    renewed: true,
    spent: stored.record.spent,
  },
});
