import type { ParsedTokens } from "@unexpired/core";
import { isSameAccount, type SessionRecord } from "../../packages/core/src/record/record.ts";
import { digestOf } from "../../packages/store-node/src/generations.ts";
import type { DocumentWorld } from "./document-world.ts";
import { type Found, readDocument } from "./documents.ts";
import type { SimulatedProcess } from "./process.ts";
import { readToken, shortRefresh } from "./tokens.ts";
import type { World } from "./world.ts";

/** An entry that holds no session for this many milliseconds was signed out. */
const SIGNED_OUT_AFTER = 1_000;

/** A session by its tokens. */
interface Pair {
  readonly accessToken?: string | undefined;
  readonly refreshToken?: string | undefined;
}

const keyOf = ({ accessToken, refreshToken }: Pair): string => `${accessToken} ${refreshToken}`;

/** The mark by which a process notes which session the document has shown. */
const markOf = ({ accessToken = "", refreshToken = "" }: Pair): string =>
  digestOf(JSON.stringify([accessToken, refreshToken]));

/** The invariants about the session in another program's document: our processes follow what that program does to it. */
export class DocumentSessions {
  readonly #store: DocumentWorld;
  readonly #world: World;
  /** The session that the document has shown last. */
  #shown: Pair | undefined;
  /** The sessions that the other program brought, and that no record has held since. */
  readonly #brought = new Set<string>();
  /** All that it has ever brought. */
  readonly #wasBrought = new Set<string>();
  /** The refresh tokens that were rotated, refused, or replaced by another session of the account. */
  readonly #gone = new Set<string>();
  /** The sessions that a record has held. */
  readonly #held = new Set<string>();
  /** The families of the sessions that the document has shown. */
  readonly #families = new Set<number>();
  /** The families of the sessions that the other program has written, one after the other. */
  readonly #foreignFamilies: number[] = [];
  /** Since when the document has had no session. */
  #emptySince: number | undefined;
  /** The time spans in which it had none, until it got one. */
  readonly #emptySpans: { readonly since: number; readonly until: number }[] = [];
  /** When the other program left the document without a session. */
  readonly #emptiedAt: number[] = [];
  /** When the document was removed. */
  readonly #removedAt: number[] = [];
  #hasPowerFailed = false;
  /** Whether the other program has signed out. */
  #isSignedOut = false;
  /** Whether the other program has ever left the document torn or without a session, be it for a moment. */
  wasIncomplete = false;
  /** When one of our processes has written the document. */
  #writtenAt = 0;

  constructor(store: DocumentWorld, world: World) {
    this.#store = store;
    this.#world = world;
  }

  /** After a change that the other program made. */
  onForeign(): void {
    const { found } = this.#store;
    this.wasIncomplete ||= found.kind !== "session";
    if (found.kind === "empty") this.#onEmptied();
    if (found.kind !== "session") return;
    this.#onFilled();
    const { family } = readToken(found.tokens.refreshToken ?? "");
    if (this.#foreignFamilies.at(-1) !== family) this.#foreignFamilies.push(family);
    const key = keyOf(found.tokens);
    // A session that is not noted as shown may be a new one to our processes.
    if (this.#shown === undefined || keyOf(this.#shown) !== key || !this.#isNoted(found.tokens)) {
      this.#brought.add(key);
      this.#wasBrought.add(key);
    }
    this.#shown = found.tokens;
  }

  #onEmptied(): void {
    const { hasFaults, scheduler } = this.#world;
    if (this.#store.text === undefined) this.#removedAt.push(scheduler.now);
    this.#emptiedAt.push(scheduler.now);
    this.#emptySince ??= scheduler.now;
    // Until it is noted that the document has shown the session, a stale copy without it is no sign-out.
    const mustBeNoted = !hasFaults && this.#emptySince - this.#writtenAt > SIGNED_OUT_AFTER;
    this.#isSignedOut = mustBeNoted || this.#isNoted(this.#shown ?? {}, /^shown/);
  }

  #onFilled(): void {
    const { found } = this.#store;
    if (found.kind === "session") this.#families.add(readToken(found.tokens.refreshToken ?? "").family);
    const { now } = this.#world.scheduler;
    if (this.#emptySince !== undefined) this.#emptySpans.push({ since: this.#emptySince, until: now });
    this.#emptySince = undefined;
    this.#isSignedOut = false;
  }

  /** Whether our processes have noted that the document has shown a session last, or is about to. */
  #isNoted(session: Pair, kind = /(?:)/): boolean {
    const { disk, paths } = this.#store;
    const names = disk.stat(paths.chain) ? disk.list(paths.chain) : [];
    const mark = markOf(session);
    const isOf = (name: string) =>
      name.startsWith("shown-") ? name.split(".")[1] === mark : name.endsWith(`.${mark}`);
    return names.some((name) => isOf(name) && kind.test(name));
  }

  /** `isForeign`: the other program wrote what the power failure may have undone. */
  onPowerFailure(isForeign: boolean): void {
    const { found } = this.#store;
    this.#hasPowerFailed = true;
    this.#emptySince = found.kind === "empty" ? this.#world.scheduler.now : undefined;
    this.#isSignedOut = false;
    if (found.kind !== "session") return;
    // What the other program had replaced may be back: to our processes, it has restored it. What they have adopted they
    // may have to adopt again.
    const key = keyOf(found.tokens);
    if (isForeign || this.#wasBrought.has(key)) this.#brought.add(key);
    this.#shown = found.tokens;
  }

  /** After a change of the record. */
  onRecord(before: SessionRecord | undefined, after: SessionRecord | undefined, author: string): void {
    const isOurs = this.#world.find(author) !== undefined;
    if (before && after && isOurs) this.#noteEnd(before, after);
    if (after?.tokens) {
      this.#held.add(keyOf(after.tokens));
      this.#brought.delete(keyOf(after.tokens));
    }
    const isEnd = after?.dead?.reason === "signed_out" && before?.dead?.reason !== "signed_out";
    if (isEnd && isOurs) this.#checkSignOut(author, before);
    if (isEnd && isOurs) this.#shown = undefined; // not if a power failure has undone what came after the sign-out
  }

  /** Notes the refresh token of `before` if it is used up, rather than replaced by another session. */
  #noteEnd(before: SessionRecord, { dead, tokens }: SessionRecord): void {
    const old = before.tokens?.refreshToken;
    if (old === undefined || old === tokens?.refreshToken) return;
    const isRotated = readToken(old).family === readToken(tokens?.refreshToken ?? "").family;
    if (dead ? dead.reason !== "signed_out" : isRotated) this.#gone.add(old);
  }

  /** P3: an entry that is empty for a moment is being rewritten. */
  #checkSignOut(author: string, before: SessionRecord | undefined): void {
    const { scheduler, invariants } = this.#world;
    const { document } = this.#store;
    const isAsked = [...invariants.callers.pending].some(
      ({ kind, process }) => kind === "signOut" && process.name === author,
    );
    // Its last look at the document before it is stored: the process may be suspended, or its disk be slow, in between.
    const now = document.lookedAt(author) ?? scheduler.now;
    const isFilled = this.#emptySpans.some(({ until }) => until >= now);
    const span = now - this.#emptySinceAt(now);
    // A document that is missing at two looks may have been there in between.
    const endOf = (at: number) => this.#emptySpans.find(({ since }) => since === at)?.until ?? at;
    const isLongAgo = (at: number) => now - at >= SIGNED_OUT_AFTER - 1 && now - endOf(at) <= 4 * SIGNED_OUT_AFTER;
    const wasMissing = (this.#store.text === undefined || isFilled) && this.#removedAt.some(isLongAgo);
    // So may one that keeps changing, if it has been empty at each of several looks.
    const isChanging = this.#emptiedAt.filter((at) => at <= now && now - at <= 5 * SIGNED_OUT_AFTER).length >= 3;
    const text = () => `${author} took an entry for signed out that had been empty for ${span} ms`;
    invariants.require(isAsked || wasMissing || isChanging || span >= SIGNED_OUT_AFTER - 1, "P3", text);
    const { family } = readToken(before?.tokens?.refreshToken ?? "");
    const neverShown = () => `${author} took a session for signed out that the document has never shown`;
    invariants.require(isAsked || this.#families.has(family), "P3", neverShown);
  }

  /** Whether the other program has written a session again after another one, which ends what became of it since. */
  wasPutBack(family: number): boolean {
    return this.#foreignFamilies.length > 1 && this.#foreignFamilies.includes(family);
  }

  /** Whether the other program has brought an access token that no record has held since. */
  hasBrought(accessToken: string): boolean {
    return [...this.#brought].some((key) => key.startsWith(`${accessToken} `));
  }

  /** Since when the entry was empty at a time; that time itself if it was not. */
  #emptySinceAt(time: number): number {
    const span = this.#emptySpans.find(({ since, until }) => since <= time && time <= until);
    const since = span?.since ?? this.#emptySince ?? time;
    return Math.min(since, time);
  }

  /** Whether the other program brought the session of `after`, so that its adoption is right. */
  onAdopted(before: SessionRecord, after: SessionRecord): boolean {
    const { tokens } = after;
    if (!tokens || !(this.#brought.has(keyOf(tokens)) || this.#isBack(tokens))) return false;
    const { records } = this.#world.invariants;
    if (before.account !== after.account)
      records.hasForeignWrite = true; // even if its token is spent
    else this.#checkGone(before, after);
    // A document that does not name accounts holds sessions of one account.
    const old = before.tokens?.refreshToken;
    if (old !== undefined && isSameAccount(before.account, after) && old !== tokens.refreshToken) this.#gone.add(old);
    records.onAdopted(before, readToken(tokens.refreshToken ?? ""));
    return true;
  }

  /** P3: what was used up, or signed out, does not come back. */
  #checkGone({ dead }: SessionRecord, after: SessionRecord): void {
    const { refreshToken = "" } = after.tokens ?? {};
    const { records } = this.#world.invariants;
    const isSignedOut = dead?.reason === "signed_out" && dead.digest === records.digestOf(after);
    const text = () => `${shortRefresh(readToken(refreshToken))} came back from the document, although it was used up`;
    this.#world.invariants.require(!isSignedOut && !this.#gone.has(refreshToken), "P3", text);
  }

  /** Whether a power failure may have undone the note that the document had shown the session before. */
  #isBack(tokens: Pair): boolean {
    const isShown = this.#shown !== undefined && keyOf(this.#shown) === keyOf(tokens);
    return isShown && this.#hasPowerFailed;
  }

  /** Before {@link onWritten}, unless the other program wrote at the same time: our process follows the record. */
  check(process: SimulatedProcess, before: string | undefined): void {
    const [old, next] = [readDocument(this.#store.kind, before), this.#store.found];
    if (next.kind === "empty") this.#checkRemoved(process, old);
    if (next.kind !== "session") return;
    const { invariants } = this.#world;
    const unknown = () => `${process.name} wrote a session that no record has held`;
    invariants.require(this.#held.has(keyOf(next.tokens)), "P3", unknown);
    const isReverted =
      old.kind === "session" && keyOf(old.tokens) !== keyOf(next.tokens) && this.#isNews(old.tokens, process);
    const reverted = () => `${process.name} overwrote a session that the other program had brought`;
    invariants.require(!isReverted, "P14", reverted);
    const shown = this.#shown?.refreshToken;
    const isSame = shown !== undefined && readToken(shown).family === readToken(next.tokens.refreshToken ?? "").family;
    const undone = () => `${process.name} wrote a session again that the other program had signed out`;
    // A document that was missing when the process read it, and is again, may have been there in between.
    const readAt = this.#store.document.readAt(process.name) ?? 0;
    const mayHaveMissed = before === undefined && readAt < (this.#emptySince ?? 0);
    invariants.require(!(this.#isSignedOut && isSame) || mayHaveMissed, "P3", undone);
  }

  /** P3: only a sign-out is shown to the other program. */
  #checkRemoved({ name }: SimulatedProcess, old: Found): void {
    const { invariants } = this.#world;
    const wasSignedOut = invariants.records.history.slice(-4).some((text) => text.includes('"signed_out"'));
    const text = () => `${name} removed the session from the document, but nobody has signed out`;
    invariants.require(old.kind === "empty" || wasSignedOut, "P3", text);
  }

  /** Whether the other program has brought a session that is not in the record, nor older than it. */
  #isNews(tokens: ParsedTokens, process: SimulatedProcess): boolean {
    const { book, records } = this.#world.invariants;
    const { expiresAt = Number.POSITIVE_INFINITY } = records.current?.tokens ?? {};
    // Another access token of a session that the process has read, although another one has been stored since.
    const isOfRecent = records.history.slice(-4).some((text) => text.includes(`"${tokens.refreshToken}"`));
    if (isOfRecent || !this.#brought.has(keyOf(tokens))) return false;
    const isKnown = this.#isNoted(tokens) || this.#store.replacesSession(markOf(tokens));
    // A clock that has jumped since the process looked may have told it that the token had expired.
    const hasJumped = this.#world.faults.injected["clock jump"] !== undefined;
    const isExpired = hasJumped || Number(tokens.expiresAt) <= Math.min(process.clock.now(), expiresAt);
    const digest = book.digest(tokens.refreshToken ?? "");
    const isClaimed = [...records.claims.values()].some((claim) => claim.digest === digest);
    return !(isKnown || isExpired || isClaimed || this.#gone.has(tokens.refreshToken ?? ""));
  }

  /** After one of our processes has written the document. */
  onWritten(): void {
    const { found } = this.#store;
    this.#writtenAt = this.#world.scheduler.now;
    if (found.kind === "session") this.#onFilled();
    if (found.kind !== "torn") this.#shown = found.kind === "session" ? found.tokens : undefined;
  }
}
