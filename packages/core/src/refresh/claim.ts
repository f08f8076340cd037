import { StoreError } from "../errors.ts";
import { type Attempt, isSameAttempt } from "../record/record.ts";
import type { Stored } from "../record/record-store.ts";
import type { RefreshFunction, TokenSet } from "../types.ts";
import type { Decision } from "./decide.ts";
import { deadlineOf } from "./exchange.ts";
import type { RefreshDeps, RefreshHost } from "./renewal.ts";

const LEASE_MARGIN = 10_000; // a claim outlasts the deadline of its exchange by this much

/** A stored session that this process has claimed for a refresh. */
export interface Claim {
  readonly stored: Stored;
  readonly tokens: TokenSet;
  readonly attempt: Attempt;
  readonly refresh: RefreshFunction;
}

type ClaimDecision = Decision & { readonly do: "claim" };

type ClaimDeps = Pick<RefreshDeps, "records" | "holder" | "refresh" | "clock">;
type ClaimHost = Pick<RefreshHost, "observe">;

/** Step 3 of the protocol: records which process presents the refresh token and, in the end, with what result. */
export class Claims {
  readonly #deps: ClaimDeps;
  readonly #host: ClaimHost;
  /**
   * Our last claim, and the attempt that this process knows of in its place, even if the store disagrees: how the claim
   * ended or, if its request was never sent, the attempt before it.
   */
  #local: { readonly claim: Attempt; readonly attempt: Attempt | undefined } | undefined;
  #slowClaims = 0;

  constructor(deps: ClaimDeps, host: ClaimHost) {
    this.#deps = deps;
    this.#host = host;
  }

  /** Returns the stored session with our own attempt as this process knows it. */
  withLocalAttempt(stored: Stored | undefined): Stored | undefined {
    if (!stored || !this.#local || !isSameAttempt(stored.record.attempt, this.#local.claim)) return stored;
    return { ...stored, record: { ...stored.record, attempt: this.#local.attempt } };
  }

  /**
   * Claims the stored session. Resolves to `undefined` if another process was first, or if saving took so long that the
   * claim's lease may expire too early.
   */
  async claim({ digest, afterLoss, failures }: ClaimDecision, stored: Stored | undefined): Promise<Claim | undefined> {
    const { clock, records, holder, refresh } = this.#deps;
    const tokens = stored?.record.tokens;
    if (!refresh || !tokens) return undefined;
    const id = clock.randomId();
    const lease = deadlineOf(refresh) + LEASE_MARGIN;
    const [claimedAt, monotonic] = [clock.now(), clock.monotonic()];
    const progress = { status: "claimed", afterLoss, failures } as const;
    const attempt: Attempt = { id, digest, holder: holder?.id, claimedAt, lease, ...progress };
    this.#local = { claim: attempt, attempt: stored.record.attempt }; // unsent, even if the outcome of the save is unknown
    const claimed = await records.save({ ...stored.record, attempt }, stored);
    if (!claimed) return undefined;
    this.#host.observe(claimed.record, "store");
    const passed = Math.max(clock.monotonic() - monotonic, Math.abs(clock.now() - claimedAt));
    if (passed >= LEASE_MARGIN / 2) return this.#giveUp(claimed, stored); // the process was probably suspended
    this.#slowClaims = 0;
    this.#local = undefined;
    return { stored: claimed, tokens, attempt, refresh };
  }

  /**
   * Restores the attempt that preceded a claim that took too long to save. Twice in a row means a slow store, not a
   * suspended process.
   */
  async #giveUp(claimed: Stored, before: Stored): Promise<undefined> {
    const { records } = this.#deps;
    await records.save({ ...claimed.record, attempt: before.record.attempt }, claimed).catch(() => {}); // the lease ends it
    this.#slowClaims++;
    if (this.#slowClaims < 2) return;
    this.#slowClaims = 0;
    throw new StoreError("STORE_UNAVAILABLE", {
      location: records.location,
      problem: "is too slow: saving a claim took more than five seconds, twice in a row",
      hint: "Nothing was sent. Find out what slows it down, and try again.",
    });
  }

  /**
   * Records how an attempt ended. Best effort: if the store does not accept it, other processes wait for the lease to
   * expire, and this one remembers the result.
   */
  async release(attempt: Attempt, known: Stored | undefined): Promise<void> {
    const { records } = this.#deps;
    this.#local = { claim: attempt, attempt };
    let stored = known;
    try {
      for (; stored && isSameAttempt(stored.record.attempt, attempt); stored = await records.load()) {
        const saved = await records.save({ ...stored.record, attempt }, stored);
        if (saved) return this.#host.observe(saved.record, "store");
      }
    } catch {
      if (known) this.#host.observe({ ...known.record, attempt }, "store");
    }
  }
}
