import { StoreError } from "../errors.ts";
import { type Attempt, currentDigest, type Digest, endRecord, keyOf, type SessionRecord } from "../record/record.ts";
import type { Saved, Stored } from "../record/record-store.ts";
import { hideSecrets } from "../tokens/token-set.ts";
import type { DeadReason, EndpointResponse, RefreshFunction, TokenSet } from "../types.ts";
import { systemClock } from "../util/clock.ts";
import type { AttemptEndings, Ending } from "./attempt-endings.ts";
import type { Decision } from "./decide.ts";
import { deadlineOf } from "./exchange.ts";
import type { RefreshDeps, RefreshHost } from "./renewal.ts";

const LEASE_MARGIN = 10_000; // a claim outlasts its exchange and its commit by this much

/** A stored session that this process has claimed for a refresh. */
export interface Claim {
  readonly stored: Stored;
  readonly tokens: TokenSet;
  readonly attempt: Attempt;
  readonly refresh: RefreshFunction;
  /** The deadline of the exchange in milliseconds, for which the lease was made. */
  readonly deadline: number;
}

/** The refresh token that a verdict is about, and the attempt that presented it. */
interface Ended {
  readonly digest: Digest;
  readonly attempt?: Attempt;
}

/** How the token endpoint ended a session, and whether the refresh token may work again. */
export interface SessionEnd {
  readonly reason: DeadReason;
  readonly response?: EndpointResponse | undefined;
  readonly keepsRefreshToken?: boolean;
}

type ClaimDecision = Decision & { readonly do: "claim" };

type ClaimDeps = Pick<RefreshDeps, "records" | "holder" | "refresh" | "clock">;
type ClaimHost = Pick<RefreshHost, "session" | "observe" | "isUsable">;

/** Step 3 of the protocol: records which process presents the refresh token and, in the end, with what result. */
export class Claims {
  readonly #deps: ClaimDeps;
  readonly #host: ClaimHost;
  readonly #endings: AttemptEndings;
  #slowClaims = 0;
  /** Not from the given clock, whose IDs may repeat. Drawn late, because some runtimes have no randomness at first. */
  #salt: string | undefined;

  constructor(deps: ClaimDeps, host: ClaimHost, endings: AttemptEndings) {
    this.#deps = deps;
    this.#host = host;
    this.#endings = endings;
  }

  /**
   * Claims the stored session. Resolves to `undefined` if another process was first, or if saving took so long that the
   * claim's lease may expire too early.
   */
  async claim({ digest, afterLoss, failures }: ClaimDecision, stored: Stored | undefined): Promise<Claim | undefined> {
    const { clock, records, holder, refresh } = this.#deps;
    const tokens = stored?.record.tokens;
    if (!refresh || !tokens) return undefined;
    await records.settle(); // a process that knows the successor of a token that a failover has brought back may be about to save it
    this.#salt ??= systemClock.randomId();
    const id = `${clock.randomId()}.${this.#salt}`;
    const deadline = deadlineOf(refresh);
    const lease = 2 * deadline + LEASE_MARGIN;
    const [claimedAt, monotonic] = [clock.now(), clock.monotonic()];
    const progress = { status: "claimed", afterLoss, failures } as const;
    const before = stored.record.attempt;
    const previous = before?.digest === digest ? before : undefined;
    const { response, refusals, mayBeSpent } = previous ?? {};
    const known = { response, refusals, mayBeSpent };
    const attempt: Attempt = { id, digest, holder: holder?.id, claimedAt, lease, ...progress, ...known };
    const key = keyOf(attempt);
    const unsent: Ending = { apply: (record) => ({ ...record, attempt: before }) };
    let claimed: Saved | undefined | null;
    try {
      const saved = await records.save({ ...stored.record, attempt }, stored);
      if (saved?.current === saved?.record) claimed = saved; // otherwise it has been replaced already
    } finally {
      if (!claimed) this.#endings.endLater(key, unsent); // even after a conflict, it may have been saved
    }
    if (!claimed) return undefined;
    this.#host.observe(claimed.record, "store");
    const passed = Math.max(clock.monotonic() - monotonic, Math.abs(clock.now() - claimedAt));
    if (passed >= LEASE_MARGIN / 2) return this.#giveUp(key, unsent, claimed); // the process was probably suspended
    this.#slowClaims = 0;
    return { stored: claimed, tokens, attempt, refresh, deadline };
  }

  /**
   * Restores the attempt that preceded a claim that took too long to save. Twice in a row means a slow store, not a
   * suspended process.
   */
  async #giveUp(key: string, unsent: Ending, claimed: Stored): Promise<undefined> {
    await this.#endings.end(key, unsent, claimed);
    this.#slowClaims++;
    if (this.#slowClaims < 2) return;
    this.#slowClaims = 0;
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.#deps.records.location,
      problem: "is too slow: saving a claim took more than five seconds, twice in a row",
      hint: "Nothing was sent. Find out what slows it down, and try again.",
    });
  }

  /** Records how our attempt ended, and why. */
  release(attempt: Attempt, error: Error, known: Stored | undefined): Promise<void> {
    return this.#endings.end(keyOf(attempt), { apply: (record) => withAttempt(record, attempt), error }, known);
  }

  /** Records that the attempt of another process is lost. If the store does not accept it, this process remembers it. */
  async markLost(attempt: Attempt, known: Stored | undefined): Promise<void> {
    const key = keyOf(attempt);
    const apply: Ending["apply"] = (record) =>
      record.attempt?.status === "claimed" ? withAttempt(record, { status: "lost" }) : record; // its holder may end it after all
    this.#endings.remember(key, { apply });
    await this.#endings.save(key, known).catch(() => {});
  }

  /**
   * Step 6 after a terminal response: ends the session only if its refresh token is still the one that was rejected. Its
   * access token is kept if it is usable and the account is the same, and with `keepsRefreshToken` the refresh token, too.
   */
  async endSession({ digest, attempt }: Ended, end: SessionEnd): Promise<void> {
    const { reason, response } = end;
    const isUsable = this.#rememberUsable();
    const apply = (record: SessionRecord) =>
      currentDigest(record) === digest
        ? endRecord(record, { reason, digest, response }, keptTokens(record, isUsable(record), end))
        : record;
    if (attempt) this.#endings.remember(keyOf(attempt), { apply }); // another program may put the claim back
    try {
      this.#host.observe(await this.#saveVerdict(digest, apply), "store");
    } catch {
      // this process knows that the session has ended even if the store does not
      const { record } = this.#host.session; // perhaps ended already, by a load in the meantime
      const known = record && currentDigest(record) === digest ? record : undefined;
      if (known) this.#host.observe(apply(known), "store");
      const ended = attempt ?? known?.attempt;
      if (ended) this.#endings.endLater(keyOf(ended), { apply });
    }
  }

  /**
   * Returns a function that tells whether a record's access token is usable, as it was when the function was first asked:
   * once the verdict is known, this process forgets for how long it has seen the token.
   */
  #rememberUsable(): (record: SessionRecord) => boolean {
    const known = new Map<string | undefined, boolean>();
    return (record) => {
      const accessToken = record.tokens?.accessToken;
      const isUsable = known.get(accessToken) ?? this.#host.isUsable(record);
      known.set(accessToken, isUsable);
      return isUsable;
    };
  }

  async #saveVerdict(digest: Digest, apply: Ending["apply"]): Promise<SessionRecord | undefined> {
    const { records } = this.#deps;
    for (;;) {
      const stored = await records.load();
      if (!stored || currentDigest(stored.record) !== digest) return stored?.record;
      const saved = await records.save(apply(stored.record), stored);
      if (saved) return saved.current;
    }
  }
}

/** Returns the tokens that a verdict leaves. A grant to another account ends the access to this one. */
function keptTokens({ tokens }: SessionRecord, isUsable: boolean, { reason, keepsRefreshToken }: SessionEnd) {
  const accessToken = isUsable && reason !== "account_changed" ? tokens?.accessToken : undefined;
  const refreshToken = keepsRefreshToken ? tokens?.refreshToken : undefined;
  if (!tokens || !(accessToken ?? refreshToken)) return undefined;
  const refreshTokenExpiresAt = refreshToken === undefined ? undefined : tokens.refreshTokenExpiresAt;
  return hideSecrets({ ...tokens, accessToken: accessToken ?? "", refreshToken, refreshTokenExpiresAt });
}

/** Changes the record's attempt. What only later releases know of it stays. */
const withAttempt = (record: SessionRecord, change: Partial<Attempt>): SessionRecord => ({
  ...record,
  attempt: record.attempt && { ...record.attempt, ...change },
});
