import { StoreError } from "../errors.ts";
import type { Attempt } from "../record/record.ts";
import type { Stored } from "../record/record-store.ts";
import type { RefreshFunction, TokenSet } from "../types.ts";
import { randomId } from "../util/clock.ts";
import type { Decision } from "./decide.ts";
import { deadlineOf } from "./exchange.ts";
import type { RefreshDeps, RefreshHost } from "./renewal.ts";

const LEASE_MARGIN = 10_000; // how much longer than its exchange a claim holds

/** A stored session that is ours to refresh. */
export interface Claim {
  readonly stored: Stored;
  readonly tokens: TokenSet;
  readonly attempt: Attempt;
  readonly refresh: RefreshFunction;
}

type ClaimDecision = Decision & { readonly do: "claim" };

type ClaimDeps = Pick<RefreshDeps, "records" | "holder" | "refresh" | "clock">;
type ClaimHost = Pick<RefreshHost, "observe">;

/** Step 3 of the protocol: the record says who presents its refresh token, and in the end what became of that. */
export class Claims {
  readonly #deps: ClaimDeps;
  readonly #host: ClaimHost;
  /** What stands for our last attempt, whatever the store says: the one before it, where it was never sent. */
  #own: { readonly id: string; readonly attempt: Attempt | undefined } | undefined;
  #slowClaims = 0;

  constructor(deps: ClaimDeps, host: ClaimHost) {
    this.#deps = deps;
    this.#host = host;
  }

  /** The stored session, with what we know of our own attempt and the store does not. */
  asKnown(stored: Stored | undefined): Stored | undefined {
    if (stored?.record.attempt === undefined || stored.record.attempt.id !== this.#own?.id) return stored;
    return { ...stored, record: { ...stored.record, attempt: this.#own.attempt } };
  }

  /** `undefined`: somebody else was first, or so much time has passed that the claim may be over. */
  async claim({ digest, afterLoss, failures }: ClaimDecision, stored: Stored | undefined): Promise<Claim | undefined> {
    const { clock, records, holder, refresh } = this.#deps;
    const tokens = stored?.record.tokens;
    if (!refresh || !tokens) return undefined;
    const id = randomId(clock);
    const lease = deadlineOf(refresh) + LEASE_MARGIN;
    const [claimedAt, monotonic] = [clock.now(), clock.monotonic()];
    const fate = { status: "claimed", afterLoss, failures } as const;
    const attempt: Attempt = { id, digest, holder: holder?.id, claimedAt, lease, ...fate };
    this.#own = { id, attempt: stored.record.attempt }; // not sent, also where the save's outcome is unknown
    const claimed = await records.save({ ...stored.record, attempt }, stored);
    if (!claimed) return undefined;
    this.#host.observe(claimed.record, "store");
    const passed = Math.max(clock.monotonic() - monotonic, Math.abs(clock.now() - claimedAt));
    if (passed >= LEASE_MARGIN / 2) return this.#giveUp(claimed, stored); // suspended in between
    this.#slowClaims = 0;
    this.#own = undefined;
    return { stored: claimed, tokens, attempt, refresh };
  }

  /** Puts back what was there before a claim that came too late to be sure of. Twice in a row is no suspension. */
  async #giveUp(claimed: Stored, before: Stored): Promise<undefined> {
    const { records } = this.#deps;
    await records.save({ ...claimed.record, attempt: before.record.attempt }, claimed).catch(() => {}); // the lease ends it
    this.#slowClaims++;
    if (this.#slowClaims < 2) return;
    this.#slowClaims = 0;
    throw new StoreError("STORE_UNAVAILABLE", {
      place: records.place,
      problem: "is too slow: storing a claim took more than five seconds, twice",
      advice: "Nothing was sent. See what delays it, and try again.",
    });
  }

  /**
   * Says how an attempt ended. Best effort: where the store does not take it, the others wait for the lease, and we know
   * it ourselves.
   */
  async release(attempt: Attempt, known: Stored | undefined): Promise<void> {
    const { records } = this.#deps;
    this.#own = { id: attempt.id, attempt };
    let stored = known;
    try {
      for (; stored?.record.attempt?.id === attempt.id; stored = await records.load()) {
        const saved = await records.save({ ...stored.record, attempt }, stored);
        if (saved) return this.#host.observe(saved.record, "store");
      }
    } catch {
      if (known) this.#host.observe({ ...known.record, attempt }, "store");
    }
  }
}
