import { isSpent, keyOf, parseRecord, type SessionRecord } from "../../packages/core/src/record/record.ts";
import { FOREIGN, HOLD, UNDOING } from "./constants.ts";
import type { HandOver } from "./exchange-invariants.ts";
import type { Invariants } from "./invariants.ts";
import { withoutRequirement } from "./later-release.ts";
import type { SimulatedProcess } from "./process.ts";
import { claimKey, hasTakenToken, isOlder, nameOf, tokenIn } from "./record-tokens.ts";
import { ReleaseInvariants } from "./release-invariants.ts";
import { shortRefresh, type Token } from "./tokens.ts";
import type { World } from "./world.ts";

/** The history of a claim, as far as the stored records show it. */
interface Claim {
  readonly holder: string;
  readonly lease: number;
  readonly digest: string;
  readonly afterLoss: boolean;
  readonly order: number;
  /** When the claim appeared, in virtual milliseconds. */
  readonly at: number;
  /** How long each process had been awake when the claim appeared, in milliseconds. */
  readonly awake: ReadonlyMap<string, number>;
  isLost: boolean;
}

/** How long a refresh token is left alone after a failure; `from` is in virtual milliseconds by the holder's clock. */
interface Backoff {
  readonly from: number;
  readonly retryIn: number;
  readonly failures: number;
}

/** The invariants about changes of the stored record from one step to the next. */
export class RecordInvariants {
  /** The stored record. */
  current: SessionRecord | undefined;
  /** The sessions that were signed out or replaced by a sign-in. */
  readonly ended = new Set<number>();
  /** The claims that have been in the record, by {@link claimKey}. */
  readonly claims = new Map<string, Claim>();
  /** The back-off of each refresh token, by digest. */
  readonly backoffs = new Map<string, Backoff>();
  hasForeignWrite = false;
  /** Whether a session that another program wrote into its document has been stored. */
  hasAdopted = false;
  /** Every string that has been stored, oldest first. */
  readonly history: string[] = [];
  readonly #world: World;
  readonly #invariants: Invariants;
  readonly #releases: ReleaseInvariants;
  #text: string | undefined;
  /** The sessions that have been stored: a sign-in stores its session once. */
  readonly #seen = new Set<number>();
  /** The sessions that another program put into the session file, and the digests of their refresh tokens. */
  readonly #restored = new Map<number, string>();
  #order = 0;

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
    this.#releases = new ReleaseInvariants(world, invariants);
  }

  /** Whether the stored attempt lets one more refusal without a reason end the session. */
  get isSuspicious(): boolean {
    const { afterLoss = false, refusals } = this.current?.attempt ?? {};
    return afterLoss || (refusals?.count ?? 0) >= 2;
  }

  check(author: string): void {
    const stored = this.#read();
    if (stored === this.#text) return;
    const previous = this.#text;
    this.#text = stored;
    const text = stored === undefined ? undefined : withoutRequirement(stored);
    // The tokens of a lost record are in no `spent` list: if another program restores them, they are a new session.
    if (text === undefined || UNDOING.includes(author)) this.history.length = 0;
    if (text !== undefined) this.history.push(text);
    const before = this.current;
    try {
      this.current = text === undefined ? undefined : parseRecord(text, "the store");
    } catch (error) {
      // P5: the record is readable after every step, even if a process died in the middle of it.
      this.#invariants.break("P5", `the stored record is unreadable: ${String(error)}`);
      return;
    }
    if (this.current?.tokens?.refreshToken) this.#invariants.book.digest(this.current.tokens.refreshToken);
    if (author === FOREIGN) this.hasForeignWrite = true;
    else if (!UNDOING.includes(author)) this.#compare(before, this.current, author);
    this.#releases.check(previous, stored, author);
    this.#world.documents?.sessions.onRecord(before, this.current, author);
    this.#track(before, this.current, author);
    this.#invariants.callers.onRecord(before, this.current);
    this.#invariants.prompts.onRecord(before, this.current, author);
  }

  #read(): string | undefined {
    try {
      return this.#world.store.truth();
    } catch (error) {
      this.#invariants.break("P5", `the newest generation is incomplete: ${String(error)}`);
      return undefined;
    }
  }

  #compare(before: SessionRecord | undefined, after: SessionRecord | undefined, author: string): void {
    // P7: no failure removes a stored session; signing out leaves a tombstone.
    this.#invariants.require(!before || after !== undefined, "P7", () => `${author} removed the stored session`);
    if (!before || !after || this.#invariants.failovers.restores(author, after)) return;
    this.#checkVerdict(before, after, author);
    this.#checkTokens(before, after, author);
    this.#checkLoss(before, after, author);
  }

  /** P3: a verdict ends the session only while it holds the token that the verdict is about. */
  #checkVerdict(before: SessionRecord, after: SessionRecord, author: string): void {
    const { dead } = after;
    if (!dead || dead.reason === "signed_out" || before.dead) return;
    const digest = this.digestOf(before);
    const about = () => `${author} ended ${nameOf(before)} with a verdict (${dead.reason}) about another token`;
    const isRestored = this.#isOfRestored(dead);
    // A spent token that another program has put back hides the one that the verdict is about.
    this.#invariants.require(dead.digest === digest || isRestored || isSpent(before), "P3", about);
    const isJustified =
      isRestored ||
      dead.reason === "response_lost" ||
      this.#invariants.exchanges.wasJudged(dead.digest) ||
      this.hasForeignWrite;
    const without = () => `${author} ended ${nameOf(before)} (${dead.reason}) without a verdict of the server`;
    this.#invariants.require(isJustified, "P3", without);
  }

  /** Whether a verdict is about a session that another program has restored. */
  #isOfRestored(dead: SessionRecord["dead"]): boolean {
    return [...this.#restored.values()].includes(dead?.digest ?? "");
  }

  #checkTokens(before: SessionRecord, after: SessionRecord, author: string): void {
    const [old, next] = [this.tokenOf(before), tokenIn(after)];
    if (!after.tokens || before.tokens?.accessToken === after.tokens.accessToken) return;
    const isBrought = this.#isBrought(before, after);
    // P2: a response without refresh_token keeps the current one.
    const text = () => `${author} stored tokens of ${nameOf(before)} without a refresh token`;
    // The token of a restored session may be spent by now.
    this.#invariants.require(!old || next !== undefined || this.#isOfRestored(after.dead), "P2", text);
    if (old && next && !isBrought) this.#checkSession([old, next], [before, after], author);
  }

  #checkSession(
    [old, next]: [Token, Token],
    [before, { tokens }]: [SessionRecord, SessionRecord],
    author: string,
  ): void {
    const signsIn = this.#isNew(next) || this.#invariants.callers.isSigningInTo(next.family, author);
    // P3 (I13): a session that was signed out or replaced does not come back.
    const back = () => `${author} restored ${shortRefresh(next)}, which was signed out or replaced`;
    this.#invariants.require(!this.ended.has(next.family) || signsIn, "P3", back);
    const over = () => `${author} wrote ${shortRefresh(next)} over ${nameOf(before)}`;
    if (next.family === old.family) {
      // P6, P3: a process never overwrites a newer token with an older one, however late it wakes.
      const isOwn = this.#invariants.exchanges.hasReceived(author, tokens?.accessToken ?? "");
      this.#invariants.require(!isOlder(next, old, hasTakenToken(before) && !isOwn), "P6", over);
      return;
    }
    // P14, P6: only a sign-in replaces the stored session, or its account, with another.
    this.#invariants.require(signsIn || this.hasForeignWrite, next.account === old.account ? "P6" : "P14", over);
  }

  /** P1: a claim is marked as lost by its holder, if the holder has ended, or by a process awake for its entire lease. */
  #checkLoss(before: SessionRecord, { attempt }: SessionRecord, author: string): void {
    if (attempt?.status !== "lost" || before.attempt?.status !== "claimed" || keyOf(before.attempt) !== keyOf(attempt))
      return;
    const claim = this.claims.get(claimKey(attempt));
    const holder = claim && this.#world.find(claim.holder);
    if (!claim || !holder || claim.holder === author || holder.state === "dead") return;
    const waiter = this.#world.find(author);
    const waited = (waiter?.awake ?? 0) - (claim.awake.get(author) ?? 0);
    const text = () =>
      `${author} marked ${claim.holder}'s claim as lost after ${Math.round(waited)} ms of a lease of ${claim.lease} ms`;
    this.#invariants.require(waited >= claim.lease - 500, "P1", text);
    this.#checkHold(claim, waiter);
  }

  /** P6: a process that is alive, perhaps suspended, keeps its claim for ten minutes if others can see it. */
  #checkHold({ holder: name, at }: Claim, waiter: SimulatedProcess | undefined): void {
    const holder = this.#world.find(name);
    if (!holder || !waiter || !this.#world.canSee(waiter, holder) || waiter.machine.jumps > 0) return;
    const age = this.#world.scheduler.now - at;
    const text = () => `${waiter.name} took over from ${name}, which is ${holder.state}, after ${Math.round(age)} ms`;
    const isUnsure = this.#world.faults.injected["holder check fails"] !== undefined;
    this.#invariants.require(age >= HOLD - 500 || isUnsure, "P6", text);
  }

  #track(before: SessionRecord | undefined, after: SessionRecord | undefined, author: string): void {
    this.#trackSession(this.tokenOf(before), after, author);
    const accessToken = after?.tokens?.accessToken;
    if (accessToken !== before?.tokens?.accessToken) this.#invariants.callers.onStored(author, accessToken);
    const attempt = after?.attempt;
    if (!attempt) return;
    const { digest, status, failures, endedAt, retryIn = 0 } = attempt;
    const key = claimKey(attempt);
    if (!this.claims.has(key)) {
      this.#checkBackoff(digest);
      this.#addClaim(key, attempt);
    }
    const claim = this.claims.get(key);
    if (claim && status === "lost") claim.isLost = true;
    if (status === "claimed") this.backoffs.delete(digest);
    else if (endedAt !== undefined)
      this.backoffs.set(digest, { from: this.#world.sinceStart(endedAt), retryIn, failures });
  }

  /** Another program puts a session into the session file: one that was replaced may come back, and replace ours. */
  onRestored(record: SessionRecord): void {
    const restored = tokenIn(record);
    if (!restored) return;
    this.#restored.set(restored.family, this.digestOf(record) ?? "");
    if (record.account !== this.current?.account) this.hasForeignWrite = true;
  }

  /**
   * A session of the document was published, as the other program had brought it. What became of its token before is
   * unknown: it may be an old one that no record has held.
   */
  onAdopted(before: SessionRecord, next: Token): void {
    const old = this.tokenOf(before);
    this.backoffs.clear();
    this.#invariants.exchanges.onAdopted();
    this.hasAdopted = true;
    if (old && next.family === old.family && next.number < old.number) this.hasForeignWrite = true;
    if (this.ended.delete(next.family) || before.dead) this.#restored.set(next.family, "");
  }

  /** Whether the stored session was put back by another program. A process may know that it had ended. */
  get isRestored(): boolean {
    return this.#restored.has(this.tokenOf(this.current)?.family ?? -1);
  }

  /** Whether another program has put a session of this family into the session file. */
  wasRestored(family: number): boolean {
    return this.#restored.has(family);
  }

  /** Whether a session that another program has put into the session file, or its document, replaces the stored one. */
  #isBrought(before: SessionRecord, after: SessionRecord): boolean {
    if (this.#world.documents) return this.#world.documents.sessions.onAdopted(before, after);
    const [old, next] = [this.tokenOf(before), tokenIn(after)];
    if (!old || next?.family === old.family || !next || !this.#restored.has(next.family) || this.#isNew(next))
      return false;
    this.hasForeignWrite = true;
    this.ended.delete(next.family);
    return true;
  }

  /** Whether a sign-in stores this session for the first time. */
  #isNew({ family }: Token): boolean {
    return this.#invariants.callers.signsIn(family) && !this.#seen.has(family);
  }

  #trackSession(old: Token | undefined, after: SessionRecord | undefined, author: string): void {
    const next = this.tokenOf(after);
    const isForeign = author === FOREIGN || UNDOING.includes(author);
    const isReplaced = next !== undefined && next.family !== old?.family;
    if (old && !isForeign && (isReplaced || after?.dead?.reason === "signed_out")) this.ended.add(old.family);
    if (!next) return;
    if (!isForeign) this.#seen.add(next.family);
    // A restored session is alive again, and the session that it overwrites has not ended.
    if (isForeign || (isReplaced && this.#restored.has(next.family))) this.ended.delete(next.family);
  }

  /**
   * P13: no process claims before the recorded back-off ends (if clocks agree and no other program has written), except
   * in an explicit `refresh()`, which may probe once it has waited for as long as without `Retry-After`.
   */
  #checkBackoff(digest: string): void {
    const { from, retryIn, failures } = this.backoffs.get(digest) ?? { from: 0, retryIn: 0, failures: 0 };
    const author = this.#world.find(this.#world.lastAuthor);
    const isProbe = author !== undefined && this.#invariants.callers.isRefreshing(author);
    const span = isProbe ? Math.min(retryIn, 1_000 * 2 ** (failures - 1)) : retryIn;
    const left = from + span - this.#world.scheduler.now;
    const isChecked = !this.#world.isSkewed && !this.hasForeignWrite;
    const text = () => `${this.#world.lastAuthor} claimed ${Math.round(left)} ms before the recorded back-off ends`;
    this.#invariants.require(left <= 5 || !isChecked, "P13", text);
  }

  #addClaim(key: string, { digest, afterLoss, lease }: Pick<Claim, "digest" | "afterLoss" | "lease">): void {
    const awake = new Map(this.#world.living.map((process) => [process.name, process.awake]));
    const [holder, at] = [this.#world.lastAuthor, this.#world.scheduler.now];
    this.claims.set(key, { holder, lease, digest, afterLoss, order: ++this.#order, at, awake, isLost: false });
  }

  /** Whether the record has since marked this attempt as lost. */
  wasLost({ claimKey: key, digest }: HandOver): boolean {
    const claim = this.claims.get(key);
    if (!claim || claim.isLost) return claim !== undefined;
    return [...this.claims.values()].some(
      (later) => later.digest === digest && later.order > claim.order && later.afterLoss,
    );
  }

  /** P2: in the end, tokens that a surviving process received, or newer ones, are stored, unless it was signed out. */
  checkEnd(): void {
    const stored = this.current && this.tokenOf(this.current);
    for (const [family, token] of this.#invariants.exchanges.received()) {
      const isGone =
        this.#world.documents?.sessions.wasPutBack(family) ?? this.#invariants.failovers.hasForgotten(token);
      if (this.ended.has(family) || this.hasForeignWrite || isGone || stored?.family !== family) continue;
      const text = () => `${shortRefresh(token)} was received, but ${nameOf(this.current)} is stored at the end`;
      this.#invariants.require(stored.number >= token.number, "P2", text);
    }
  }

  /** The refresh token that a record holds, or that its verdict is about. */
  tokenOf(record: SessionRecord | undefined): Token | undefined {
    return record && (tokenIn(record) ?? this.#invariants.book.find(record.dead?.digest));
  }

  /** The digest of the refresh token that a record holds. */
  digestOf(record: SessionRecord | undefined): string | undefined {
    const token = record?.tokens?.refreshToken;
    return token === undefined ? undefined : this.#invariants.book.digest(token);
  }
}
