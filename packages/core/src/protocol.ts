import { backoff } from "./backoff.ts";
import type { Outcome } from "./classify.ts";
import { randomId, sleep } from "./clock.ts";
import { type Decision, decide, type Goal } from "./decide.ts";
import { ConfigurationError, RefreshFailedError, UnexpiredError } from "./errors.ts";
import { deadlineOf, exchange } from "./exchange.ts";
import { LeaseWatch } from "./lease.ts";
import { isSameAccount, type Session, type Sighting } from "./machine.ts";
import { type Attempt, currentDigest, type Digest, type SessionRecord, spend, type Verdict } from "./record.ts";
import type { RecordStore, Stored } from "./record-store.ts";
import { succeed } from "./token-set.ts";
import type { Clock, DeadReason, ProviderProfile, RefreshFunction, SessionEvent, TokenSet, TokenStore } from "./types.ts";

const LEASE_MARGIN = 10_000; // how much longer than its exchange a claim holds
const FIRST_POLL = 3;
const LONGEST_POLL = 25;
const SAVE_RETRY = 1_000;

/** What the protocol works with and reports to. */
export interface Surroundings {
  readonly records: RecordStore;
  readonly holder: TokenStore["holder"];
  /** Absent: the machine asks for no renewal. */
  readonly refresh: RefreshFunction | undefined;
  readonly profile: ProviderProfile;
  readonly clock: Clock;
  readonly session: () => Session;
  readonly isUsable: (record: SessionRecord) => boolean;
  readonly see: (record: SessionRecord | undefined, by: Sighting) => void;
  readonly announce: (event: SessionEvent) => void;
}

type Claim = { readonly stored: Stored; readonly tokens: TokenSet; readonly attempt: Attempt; readonly refresh: RefreshFunction };
type Unsaved = { readonly record: SessionRecord; readonly presented: Digest };

/** The refresh protocol: look, claim, exchange, commit, and what to do about a lost answer. One run at a time. */
export class RefreshProtocol {
  readonly #around: Surroundings;
  readonly #leases: LeaseWatch;
  /** Our last attempt, as we know it: the store may lag behind where it refused to be told. `undefined`: never sent. */
  #own: { readonly id: string; readonly attempt: Attempt | undefined } | undefined;
  /** Tokens that the store refused: in use here, and written as soon as it takes them. */
  #unsaved: Unsaved | undefined;
  #cancelRetry: (() => void) | undefined;
  #lastFailure: Error | undefined;

  constructor(around: Surroundings) {
    this.#around = around;
    this.#leases = new LeaseWatch(around.clock, around.holder);
  }

  /** The stored session; tokens that the store has refused so far are written first, and count as stored meanwhile. */
  async load(): Promise<Stored | undefined> {
    if (this.#unsaved) await this.#commit(this.#unsaved, await this.#around.records.load());
    const stored = await this.#around.records.load();
    if (stored && this.#unsaved) return { ...stored, record: this.#unsaved.record };
    if (stored?.record.attempt === undefined || stored.record.attempt.id !== this.#own?.id) return stored;
    return { ...stored, record: { ...stored.record, attempt: this.#own.attempt } };
  }

  /**
   * Brings the session further: another holder's tokens, our own exchange, or the end. Resolves to `false` where
   * somebody else is at it and `isUrgent` says that nobody waits.
   *
   * @throws RefreshFailedError, ConfigurationError, StoreError
   */
  async renew(goal: Goal, isUrgent: () => boolean): Promise<boolean> {
    const { clock, see } = this.#around;
    const first = await this.load();
    let poll = FIRST_POLL;
    for (let stored = first; ; stored = await this.load()) {
      const isChanged = stored?.record.tokens?.accessToken !== first?.record.tokens?.accessToken;
      const decision = await this.#decide(stored?.record, goal, isChanged, poll);
      if (decision.do === "wait") {
        see(stored?.record, "store");
        if (!isUrgent()) return false;
        await sleep(clock, poll, true);
        poll = Math.min(poll * 1.5, LONGEST_POLL);
      } else if (!stored || decision.do === "stop") {
        see(stored?.record, isChanged ? "change" : "store");
        return true;
      } else if (await this.#act(decision, stored)) {
        return true;
      }
    }
  }

  /** Stops what is still to be written later. */
  async close(): Promise<void> {
    this.#cancelRetry?.();
    if (this.#unsaved) await this.load();
  }

  async #decide(record: SessionRecord | undefined, goal: Goal, isChanged: boolean, interval: number): Promise<Decision> {
    const { clock, profile, session, isUsable } = this.#around;
    const attempt = record?.attempt;
    return decide(record, {
      goal,
      account: session().account,
      spent: session().record?.spent ?? [],
      isUsable: record !== undefined && (isChanged || isUsable(record)), // whatever our clock says, it is new
      isAbandoned: attempt?.status === "claimed" && (await this.#leases.isAbandoned(attempt, interval)),
      profile,
      now: clock.now(),
    });
  }

  /** Whether the renewal is over; else look again. */
  async #act(decision: Exclude<Decision, { do: "stop" | "wait" }>, stored: Stored): Promise<boolean> {
    switch (decision.do) {
      case "restore":
        await this.#restore(stored);
        return false;
      case "back-off":
        throw new RefreshFailedError(decision.retryAt, { cause: this.#lastFailure });
      case "end":
        await this.#end(decision.digest, decision.reason);
        return true;
      case "claim": {
        const claim = await this.#claim(decision, stored);
        return claim !== undefined && (await this.#exchange(claim));
      }
    }
  }

  async #restore(stored: Stored): Promise<void> {
    const { session, records, announce } = this.#around;
    const record = session().record;
    if (record && (await records.save({ ...record, attempt: undefined }, stored))) {
      announce({ type: "restored", place: records.place });
    }
  }

  /** Step 3. `undefined`: somebody else was first, or so much time has passed that the claim may be over. */
  async #claim(decision: Decision & { do: "claim" }, stored: Stored): Promise<Claim | undefined> {
    const { clock, records, holder, refresh } = this.#around;
    if (!refresh || !stored.record.tokens) return undefined;
    const { digest, afterLoss, failures } = decision;
    const id = randomId(clock);
    const lease = deadlineOf(refresh) + LEASE_MARGIN;
    const attempt: Attempt = { id, digest, holder: holder?.id, lease, status: "claimed", afterLoss, failures };
    const began = { now: clock.now(), monotonic: clock.monotonic() };
    const claimed = await records.save({ ...stored.record, attempt }, stored);
    if (!claimed) return undefined;
    this.#around.see(claimed.record, "store");
    const passed = Math.max(clock.monotonic() - began.monotonic, Math.abs(clock.now() - began.now));
    if (passed < LEASE_MARGIN / 2) return { stored: claimed, tokens: stored.record.tokens, attempt, refresh };
    this.#own = { id, attempt: stored.record.attempt }; // suspended in between: whoever looks next decides anew
    return undefined;
  }

  /** Steps 4 to 6. Whether the renewal is over. */
  async #exchange(claim: Claim): Promise<boolean> {
    const { clock, profile, announce } = this.#around;
    const { id, afterLoss, digest } = claim.attempt;
    const [sentAt, began] = [clock.now(), clock.monotonic()];
    announce({ type: "exchange-started", attemptId: id, afterLoss });
    const { outcome, late } = exchange(claim.refresh, claim.tokens, id, { clock, profile, sentAt });
    const result = await outcome;
    if (result.kind === "rotated") {
      await this.#commit(this.#successor(claim, result.tokens, sentAt), claim.stored);
      const expiresAt = result.tokens.expiresAt;
      announce({ type: "refreshed", attemptId: id, expiresAt, duration: clock.monotonic() - began });
      return true;
    }
    if (result.kind === "terminal") {
      this.#lastFailure = result.error;
      await this.#end(digest, afterLoss ? "answer_lost" : result.reason);
      return true;
    }
    await this.#fail(claim, result);
    late.then((answer) => this.#commitLate(claim, answer, result, sentAt)).catch(() => {});
    return false;
  }

  /** An answer after the deadline is still a rotation: nothing throws a received token away. */
  async #commitLate(claim: Claim, answer: Outcome, earlier: Outcome, sentAt: number): Promise<void> {
    if (answer === earlier || answer.kind !== "rotated") return;
    await this.#commit(this.#successor(claim, answer.tokens, sentAt), await this.#around.records.load());
  }

  #successor({ stored, tokens, attempt }: Claim, received: TokenSet, sentAt: number): Unsaved {
    const next = succeed(tokens, received);
    const record: SessionRecord = { schema: 1, account: stored.record.account, tokens: next, obtainedAt: sentAt, renewed: true, spent: [] };
    return { presented: attempt.digest, record };
  }

  /** Step 5: in a loop, until our tokens are stored, or the stored session turns out to have moved on. */
  async #commit({ record, presented }: Unsaved, base: Stored | undefined): Promise<void> {
    const { records, see } = this.#around;
    try {
      for (let stored = base; ; stored = await records.load()) {
        if (currentDigest(record) !== presented && currentDigest(stored?.record) === currentDigest(record)) return this.#settle(stored?.record);
        const dropped = whyDropped(stored?.record, presented, record);
        if (dropped) return await this.#drop(dropped, record, stored?.record);
        const spent = spend(stored?.record.spent ?? [], presented, currentDigest(record));
        const saved = await records.save({ ...record, spent }, stored);
        if (saved) return this.#settle(saved.record);
      }
    } catch (error) {
      const spent = spend(base?.record.spent ?? record.spent, presented, currentDigest(record));
      see({ ...record, spent }, "exchange");
      this.#keepUnsaved({ record: { ...record, spent }, presented }, error);
    }
  }

  #settle(record: SessionRecord | undefined): void {
    if (this.#unsaved) this.#around.announce({ type: "saved", place: this.#around.records.place });
    this.#unsaved = undefined;
    this.#around.see(record, "exchange");
  }

  #keepUnsaved(unsaved: Unsaved, error: unknown): void {
    const { clock, announce, records } = this.#around;
    const code = UnexpiredError.is(error) ? error.code : "STORE_UNAVAILABLE";
    if (!this.#unsaved) announce({ type: "unsaved", place: records.place, code });
    this.#unsaved = unsaved;
    this.#cancelRetry?.();
    this.#cancelRetry = clock.setTimer(() => void this.load().catch(() => {}), SAVE_RETRY, false);
  }

  async #drop(because: "superseded" | "signed_out" | "account_changed", ours: SessionRecord, stored: SessionRecord | undefined) {
    const { announce, refresh, see } = this.#around;
    this.#unsaved = undefined;
    announce({ type: "rotation-dropped", because });
    see(stored, "store");
    if (because !== "superseded" && ours.tokens) await refresh?.revoke?.(ours.tokens).catch(() => {}); // best effort
  }

  /** Step 6, a terminal answer: by compare-and-set on the token that failed, so that it never hits a newer one. */
  async #end(digest: Digest, reason: DeadReason): Promise<void> {
    const { records, see, session } = this.#around;
    const dead = { reason, digest };
    try {
      for (;;) {
        const stored = await records.load();
        if (!stored || currentDigest(stored.record) !== digest) return see(stored?.record, "store");
        const saved = await records.save(endRecord(stored.record, dead), stored);
        if (saved) return see(saved.record, "store");
      }
    } catch {
      const known = session().record;
      if (known) see(endRecord(known, dead), "store"); // known here, if nowhere else
    }
  }

  /** Step 6, no tokens and no verdict: the claim is given up, and everybody leaves the endpoint alone for a while. */
  async #fail(claim: Claim, result: Exclude<Outcome, { kind: "rotated" | "terminal" }>): Promise<void> {
    const { clock, profile, announce } = this.#around;
    const failures = claim.attempt.failures + 1;
    const isLost = result.kind === "lost";
    const isGraceful = isLost && profile.graceSeconds > 0 && !claim.attempt.afterLoss;
    const retryIn = isGraceful ? 0 : backoff(failures, result.error.retryAfter, clock);
    const endedAt = clock.now();
    await this.#release(claim, { ...claim.attempt, status: isLost ? "lost" : "failed", failures, endedAt, retryIn });
    this.#lastFailure = result.error;
    announce({ type: "refresh-failed", code: result.error.error ?? result.kind, retryAt: endedAt + retryIn });
    if (result.kind !== "misconfigured") return;
    const advice = "Check the client id, its authentication and the requested scope. The session is untouched.";
    throw new ConfigurationError(`${result.error.message}. ${advice}`, { cause: result.error });
  }

  /** Best effort: where the store does not take it, the others wait for the lease, and we know it ourselves. */
  async #release(claim: Claim, attempt: Attempt): Promise<void> {
    const { records, see } = this.#around;
    this.#own = { id: attempt.id, attempt };
    try {
      for (let stored: Stored | undefined = claim.stored; stored?.record.attempt?.id === attempt.id; stored = await records.load()) {
        const saved = await records.save({ ...stored.record, attempt }, stored);
        if (saved) return see(saved.record, "store");
      }
    } catch {
      see({ ...claim.stored.record, attempt }, "store");
    }
  }
}

/** The record without its tokens, whose refresh token is spent. */
export const endRecord = (record: SessionRecord, dead: Verdict): SessionRecord => ({
  ...record,
  tokens: undefined,
  attempt: undefined,
  dead,
  spent: spend(record.spent, dead.digest, undefined),
});

/** Why an exchange's tokens must not be stored over what is there now. */
function whyDropped(stored: SessionRecord | undefined, presented: Digest, ours: SessionRecord) {
  if (!stored || stored.dead?.reason === "signed_out") return "signed_out";
  if (!isSameAccount(ours.account, stored)) return "account_changed";
  return currentDigest(stored) === presented || stored.dead?.digest === presented ? undefined : "superseded";
}
