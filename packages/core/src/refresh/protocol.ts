import { RefreshFailedError, UnexpiredError } from "../errors.ts";
import { isAnotherSession, isSpent, type SessionRecord } from "../record/record.ts";
import type { Stored } from "../record/record-store.ts";
import { putBack } from "../record/rollback.ts";
import { type Moment, momentOf } from "../util/clock.ts";
import { AttemptTracker } from "./attempt-tracker.ts";
import { Claims } from "./claim.ts";
import { type Decision, decide } from "./decide.ts";
import { Exchanger } from "./exchanger.ts";
import { notSentAgain, storedFailureOf } from "./failure.ts";
import type { PendingChanges } from "./pending-changes.ts";
import { CHECK_INTERVAL, type RefreshDeps, type RefreshHost, type RenewalGoal } from "./renewal.ts";
import { assertTokenOrigin } from "./token-origin.ts";

const FIRST_POLL_INTERVAL = 5;
const MAX_POLL_INTERVAL = 25;

/** The time in milliseconds between two loads within which a change of the tokens counts as just made. */
const RECENT = 1_000;

/** One load of the stored session during a renewal. */
interface Look {
  readonly stored: Stored | undefined;
  /** Whether the tokens were just seen to change, so that they are new whatever their dates say. */
  readonly isNew: boolean;
  /** How long the load took, and the one before it, in milliseconds: one of them may have been suspended. */
  readonly took: number;
  readonly tookBefore: number;
  /** Whether this renewal has sent a request. */
  isSent: boolean;
  /** The record of the first load, and when the last load began that still found its access token. */
  readonly old: { readonly record: SessionRecord | undefined; readonly at: Moment };
}

/** The refresh protocol: load, claim, exchange, commit, and recover from lost responses. Runs one renewal at a time. */
export class RefreshProtocol {
  readonly #deps: RefreshDeps;
  readonly #host: RefreshHost;
  readonly #attempts: AttemptTracker;
  readonly #claims: Claims;
  readonly #exchanger: Exchanger;
  readonly #pending: PendingChanges;
  #wake: (() => void) | undefined;

  constructor(deps: RefreshDeps, host: RefreshHost, pending: PendingChanges) {
    this.#deps = deps;
    this.#host = host;
    this.#attempts = new AttemptTracker(deps.clock, deps.holder);
    this.#claims = new Claims(deps, host, pending.endings);
    this.#exchanger = new Exchanger({ ...deps, claims: this.#claims, pending }, host);
    this.#pending = pending;
  }

  /** Throws in a refresh function that would wait for its own exchange: only the deadline would end it. */
  assertOutsideRefresh(): void {
    if (!this.#exchanger.scope.isInside) return;
    throw new TypeError(
      "The refresh function called its own token manager, and would wait for itself. Use the token set that is passed to it.",
    );
  }

  /** Stops counting how long a claim lasts. */
  close(): void {
    this.#attempts.close();
  }

  /**
   * Renews the session: adopts the tokens of another process, exchanges the refresh token, or ends the session.
   * Resolves to `false` if another process is refreshing and, according to `isUrgent`, no caller waits.
   *
   * @throws RefreshFailedError, ConfigurationError, StoreError
   */
  async renew(goal: RenewalGoal, isUrgent: () => boolean): Promise<boolean> {
    await this.#pending.flush().catch(() => {}); // they are part of every load
    let interval = isUrgent() ? FIRST_POLL_INTERVAL : CHECK_INTERVAL;
    for (let look = await this.#look(); ; look = await this.#look(look)) {
      const decision = await this.#decide(goal, look, interval);
      if (this.#deps.records.isReplaced(look.stored)) continue; // while the store was asked about the holder
      if (await this.#act(decision, look)) return true;
      if (decision.do !== "wait") continue;
      if (!isUrgent()) return false;
      await this.#wait(decision, interval);
      interval = Math.min(interval * 2, MAX_POLL_INTERVAL);
    }
  }

  /** Loads the stored session once more in a renewal. */
  async #look(previous?: Look): Promise<Look> {
    const { clock } = this.#deps;
    const at = momentOf(clock);
    const stored = await this.#pending.load();
    const took = clock.monotonic() - at.monotonic;
    const look = { stored, took, tookBefore: previous?.took ?? 0, isSent: previous?.isSent ?? false };
    const record = stored?.record;
    if (!previous || record?.tokens?.accessToken === previous.old.record?.tokens?.accessToken)
      return { ...look, isNew: false, old: { record, at } };
    const { old } = previous;
    // Another session may have been put back by another program.
    const isSwitched = record !== undefined && old.record !== undefined && isAnotherSession(record, old.record);
    const isOwn = this.#pending.hasReceived(record); // in a response that came after its deadline
    const isNew = isRecent(old.at, momentOf(clock)) && !isSwitched && !isSpent(record) && !isOwn;
    return { ...look, isNew, old };
  }

  /** Ends the wait for another process, if any. Returns `false` during an exchange: the caller then has to load. */
  wake(): boolean {
    this.#wake?.();
    return !this.#exchanger.isRunning;
  }

  /** Waits for another process, unless that is late: it may be stopped, for however long. */
  async #wait({ attempt, heldUntil }: Decision & { readonly do: "wait" }, interval: number): Promise<void> {
    if (heldUntil === undefined) return this.#pause(interval);
    const holder = await this.#attempts.describeHolder(attempt);
    throw new RefreshFailedError(heldUntil, { reason: "claimed", holder });
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

  async #decide(goal: RenewalGoal, { stored, isNew, took, tookBefore }: Look, interval: number): Promise<Decision> {
    const { clock, profile } = this.#deps;
    const { account, record: known } = this.#host.session;
    const record = stored?.record;
    return decide(record, {
      goal,
      account,
      known,
      isUsable: record !== undefined && (isNew || this.#host.isUsable(record)),
      isDue: record !== undefined && this.#host.isDue(record),
      isInsufficient: record !== undefined && !isNew && this.#host.isInsufficient(record, goal),
      attempt: await this.#attempts.check(record?.attempt, interval + Math.min(took, tookBefore)),
      profile,
      now: clock.now(),
    });
  }

  /** Carries out a decision. Returns `true` if the renewal is complete, `false` to load again. */
  async #act(decision: Decision, look: Look): Promise<boolean> {
    const { stored, isNew } = look;
    switch (decision.do) {
      case "stop":
        this.#host.observe(stored?.record, isNew ? "change" : "store");
        return true;
      case "wait":
        this.#host.observe(stored?.record, "store");
        return false;
      case "restore":
        await this.#restore(stored);
        return false;
      case "mark-lost":
        await this.#claims.markLost(decision.attempt, stored);
        return false;
      case "back-off":
        throw this.#failureOf(look, decision.retryAt);
      case "end-session": {
        const { digest, reason, response } = decision;
        await this.#claims.endSession({ digest }, { reason, response });
        return true;
      }
      case "claim": {
        if (stored) await this.#assertOrigin(stored);
        const claim = await this.#claims.claim(decision, stored);
        look.isSent ||= claim !== undefined;
        if (claim) return this.#exchanger.run(claim);
        // another process was first, or the store reports conflicts without a visible change
        await this.#pause(FIRST_POLL_INTERVAL);
        return false;
      }
    }
  }

  /** @throws ConfigurationError */
  async #assertOrigin({ record }: Stored): Promise<void> {
    const { refresh, clock } = this.#deps;
    await assertTokenOrigin(refresh, record, clock).catch((error: unknown) => {
      this.#host.announce({ type: "refresh-failed", code: "misconfigured", retryAt: undefined });
      throw error;
    });
  }

  /** Returns the error for a back-off until `retryAt`, with what the token endpoint said to this process or another. */
  #failureOf({ stored, isSent }: Look, retryAt: number): Error {
    const attempt = stored?.record.attempt;
    const known = attempt && storedFailureOf(attempt, this.#deps.profile);
    const error = (stored && this.#pending.endings.of(stored.record)?.error) ?? known;
    const isMisconfigured = UnexpiredError.is(error) && error.code === "CONFIGURATION";
    if (!isMisconfigured) return new RefreshFailedError(retryAt, { isSent, cause: error });
    return isSent ? error : notSentAgain(error, retryAt);
  }

  /** Saves our session again, because a spent refresh token has overwritten our newer one. */
  async #restore(stored: Stored | undefined): Promise<void> {
    const { records } = this.#deps;
    const known = this.#host.session.record;
    const record = known && (this.#pending.endings.of(known)?.apply(known) ?? known);
    if (record && (await records.save(putBack(record, stored?.record), stored))) {
      this.#host.announce({ type: "session-restored", location: records.location });
    }
  }
}

/** Returns whether little time has passed by both clocks. A process that slept in between does not know what it missed. */
const isRecent = (before: Moment, { now, monotonic }: Moment): boolean =>
  now >= before.now && now - before.now <= RECENT && monotonic - before.monotonic <= RECENT;
