import { parseRecord, type SessionRecord } from "../../packages/core/src/record/record.ts";
import { FOREIGN, POWER } from "./constants.ts";
import type { HandOver } from "./exchange-invariants.ts";
import type { Invariants } from "./invariants.ts";
import { readToken, shortRefresh, type Token } from "./tokens.ts";
import type { World } from "./world.ts";

/** What became of a claim, as the stored records told. */
interface Claim {
  readonly owner: string;
  readonly lease: number;
  readonly digest: string;
  readonly afterLoss: boolean;
  readonly order: number;
  /** Of each process, how long it had been awake when the claim appeared. */
  readonly awake: ReadonlyMap<string, number>;
  isLost: boolean;
}

/** What the stored record may become from one step to the next. */
export class RecordInvariants {
  /** The stored session now. */
  current: SessionRecord | undefined;
  /** Sessions that were signed out or replaced by a sign-in. */
  readonly over = new Set<number>();
  /** Refresh tokens that a verdict in the record was about, by digest. */
  readonly claims = new Map<string, Claim>();
  /** Ended attempts: until when the token may not be presented, in virtual milliseconds by the owner's clock. */
  readonly quiet = new Map<string, number>();
  isForeign = false;
  /** Every string that was stored, oldest first. */
  readonly past: string[] = [];
  readonly #world: World;
  readonly #invariants: Invariants;
  #text: string | undefined;
  /** Sessions that have been stored: a sign-in stores its own once. */
  readonly #seen = new Set<number>();
  #order = 0;

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
  }

  check(author: string): void {
    const text = this.#read();
    if (text === this.#text) return;
    this.#text = text;
    // What is lost is in no list of what is spent: a foreign program that puts it back begins it anew.
    if (text === undefined || author === POWER) this.past.length = 0;
    if (text !== undefined) this.past.push(text);
    const before = this.current;
    try {
      this.current = text === undefined ? undefined : parseRecord(text, "the store");
    } catch (error) {
      // P5: whatever the last step was, also a death in the middle of it, the record can be read.
      this.#invariants.break("P5", `the stored record cannot be read: ${String(error)}`);
      return;
    }
    if (this.current?.tokens?.refreshToken) this.#invariants.book.digest(this.current.tokens.refreshToken);
    if (author === FOREIGN) this.isForeign = true;
    else if (author !== POWER) this.#compare(before, this.current, author);
    this.#follow(before, this.current, author);
  }

  #read(): string | undefined {
    try {
      return this.#world.truth();
    } catch (error) {
      this.#invariants.break("P5", `the newest generation is not complete: ${String(error)}`);
      return undefined;
    }
  }

  #compare(before: SessionRecord | undefined, after: SessionRecord | undefined, author: string): void {
    // P7: nothing that goes wrong makes a stored session vanish; signing out leaves a tombstone.
    this.#invariants.require(!before || after !== undefined, "P7", () => `${author} removed the stored session`);
    if (!before || !after) return;
    this.#checkVerdict(before, after, author);
    this.#checkTokens(before, after, author);
    this.#checkLoss(before, after, author);
  }

  /** P3: a verdict ends the session only while it holds the very token that was judged, and only what was judged. */
  #checkVerdict(before: SessionRecord, after: SessionRecord, author: string): void {
    const { dead } = after;
    if (!dead || dead.reason === "signed_out" || before.dead) return;
    const digest = this.digestOf(before);
    const about = () => `${author} ended ${name(before)} with a verdict (${dead.reason}) about another token`;
    this.#invariants.require(dead.digest === digest, "P3", about);
    const isJustified =
      dead.reason === "answer_lost" || this.#invariants.exchanges.wasJudged(dead.digest) || this.isForeign;
    this.#invariants.require(
      isJustified,
      "P3",
      () => `${author} ended ${name(before)} (${dead.reason}); the server never said so`,
    );
  }

  #checkTokens(before: SessionRecord, after: SessionRecord, author: string): void {
    if (!after.tokens) return;
    const [old, next] = [this.tokenOf(before), tokenIn(after)];
    if (!old || before.tokens?.accessToken === after.tokens.accessToken) return;
    // P2: an answer without refresh_token keeps the old one.
    const text = () => `${author} stored tokens of ${shortRefresh(old)} without a refresh token`;
    if (!next) {
      this.#invariants.break("P2", text());
      return;
    }
    const signsIn = this.#isNew(next);
    // P3 (I13): a session that was signed out or replaced never comes back.
    const isBack = this.over.has(next.family) && !signsIn;
    this.#invariants.require(
      !isBack,
      "P3",
      () => `${author} brought back ${shortRefresh(next)}, which was signed out or replaced`,
    );
    if (next.family === old.family) {
      const isRegress = next.number < old.number || (before.dead !== undefined && next.number === old.number);
      // P6, P3: nobody, however late it wakes, writes an older token over a newer one.
      this.#invariants.require(!isRegress, "P6", () => `${author} wrote ${shortRefresh(next)} over ${name(before)}`);
      return;
    }
    // P14, P6: only a sign-in puts another session, and another account, in place of the stored one.
    const invariant = next.account === old.account ? "P6" : "P14";
    this.#invariants.require(
      signsIn || this.isForeign,
      invariant,
      () => `${author} wrote ${shortRefresh(next)} over ${name(before)}`,
    );
  }

  /** P1: a claim is given up as lost by its owner, or where that is gone, or by one who was awake for its whole lease. */
  #checkLoss(before: SessionRecord, { attempt }: SessionRecord, author: string): void {
    if (attempt?.status !== "lost" || before.attempt?.id !== attempt.id || before.attempt.status !== "claimed") return;
    const claim = this.claims.get(attempt.id);
    const owner = claim && this.#world.find(claim.owner);
    if (!claim || !owner || claim.owner === author || owner.state === "dead") return;
    const waiter = this.#world.find(author);
    const waited = (waiter?.awake ?? 0) - (claim.awake.get(author) ?? 0);
    const text = () =>
      `${author} took ${claim.owner}'s claim for lost after ${Math.round(waited)} ms of a lease of ${claim.lease} ms`;
    this.#invariants.require(waited >= claim.lease - 500, "P1", text);
  }

  #follow(before: SessionRecord | undefined, after: SessionRecord | undefined, author: string): void {
    this.#followSession(this.tokenOf(before), after, author);
    const attempt = after?.attempt;
    if (!attempt) return;
    const { id, digest, status, endedAt, retryIn } = attempt;
    if (!this.claims.has(id)) {
      this.#checkQuiet(digest);
      this.#addClaim(id, attempt);
    }
    const claim = this.claims.get(id);
    if (claim && status === "lost") claim.isLost = true;
    if (status === "claimed") this.quiet.delete(digest);
    else if (endedAt !== undefined) this.quiet.set(digest, this.#world.sinceStart(endedAt) + (retryIn ?? 0));
  }

  /** A sign-in stores its session for the first time. */
  #isNew({ family }: Token): boolean {
    return this.#invariants.callers.signsIn(family) && !this.#seen.has(family);
  }

  #followSession(old: Token | undefined, after: SessionRecord | undefined, author: string): void {
    const next = after && this.tokenOf(after);
    // What is put back is brought back by the author itself; what that writes over is not over.
    if (author === FOREIGN || author === POWER) return void (next && this.over.delete(next.family));
    const isReplaced = next !== undefined && next.family !== old?.family;
    if (old && (after?.dead?.reason === "signed_out" || isReplaced)) this.over.add(old.family);
    if (next) this.#seen.add(next.family);
  }

  /** P13: nobody claims before the recorded back-off is over (checked where clocks agree and nobody meddles). */
  #checkQuiet(digest: string): void {
    const left = (this.quiet.get(digest) ?? 0) - this.#world.scheduler.now;
    const isTold = !this.#world.isSkewed && !this.isForeign;
    const text = () => `${this.#world.lastAuthor} claimed ${Math.round(left)} ms before the recorded back-off is over`;
    this.#invariants.require(left <= 5 || !isTold, "P13", text);
  }

  #addClaim(id: string, { digest, afterLoss, lease }: Pick<Claim, "digest" | "afterLoss" | "lease">): void {
    const awake = new Map(this.#world.living.map((process) => [process.name, process.awake]));
    const owner = this.#world.lastAuthor;
    this.claims.set(id, { owner, lease, digest, afterLoss, order: ++this.#order, awake, isLost: false });
  }

  /** Whether the record has told, since then, that this attempt was lost. */
  wasLost({ attemptId, digest }: HandOver): boolean {
    const claim = this.claims.get(attemptId);
    if (!claim || claim.isLost) return claim !== undefined;
    return [...this.claims.values()].some(
      (later) => later.digest === digest && later.order > claim.order && later.afterLoss,
    );
  }

  /** P2: what a surviving process has received is stored in the end, or something newer, or it was signed out. */
  checkEnd(): void {
    const stored = this.current && this.tokenOf(this.current);
    for (const [family, received] of this.#invariants.exchanges.received()) {
      if (this.over.has(family) || this.isForeign || this.#world.isTorn || stored?.family !== family) continue;
      const text = () =>
        `the server rotated to ${shortRefresh(received)}, a surviving process got it, and ${name(this.current)} is stored`;
      this.#invariants.require(stored.number >= received.number, "P2", text);
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

const tokenIn = ({ tokens }: SessionRecord): Token | undefined =>
  tokens?.refreshToken === undefined ? undefined : readToken(tokens.refreshToken);

const name = (record: SessionRecord | undefined): string => {
  const token = record && tokenIn(record);
  return token ? shortRefresh(token) : `a record without tokens (${record?.dead?.reason ?? "no verdict"})`;
};
