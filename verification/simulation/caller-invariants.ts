import { inspect } from "node:util";
import { type SessionEvent, UnexpiredError } from "@unexpired/core";
import { CANARY } from "@unexpired-internal/test-support/canary";
import { isEmpty, type SessionRecord } from "../../packages/core/src/record/record.ts";
import { AccountInvariants } from "./account-invariants.ts";
import { type Call, IMPATIENT, isSignIn } from "./calls.ts";
import { HOLD } from "./constants.ts";
import type { Invariants } from "./invariants.ts";
import { NoticeInvariants } from "./notice-invariants.ts";
import type { SimulatedProcess } from "./process.ts";
import { accountOf, claimKey } from "./record-tokens.ts";
import { readToken, shortAccess } from "./tokens.ts";
import { UnsavedInvariants } from "./unsaved-invariants.ts";
import { VerdictInvariants } from "./verdict-invariants.ts";
import type { World } from "./world.ts";

/** How long after a change a process may first see it, and still take it for one that was just made. */
const NOTICED = 1_100;
/** The same, if the store's loads may be slow. */
const NOTICED_SLOWLY = 21_000;

/** The invariants about what callers receive. */
export class CallerInvariants {
  readonly pending = new Set<Call>();
  readonly unsaved: UnsavedInvariants;
  readonly notices: NoticeInvariants;
  readonly verdicts: VerdictInvariants;
  readonly accounts: AccountInvariants;
  readonly #world: World;
  readonly #invariants: Invariants;
  readonly #signedIn = new Set<number>();
  readonly #rejected = new Set<string>();
  readonly #appeared = new Map<string, number>();
  readonly #expiries = new Map<string, number>();
  readonly #stored = new Map<string, { readonly author: string; readonly at: number }>();
  /** The monotonic time when a process first received an access token, by both names. */
  readonly #receivedAt = new Map<string, number>();
  readonly #served = new Set<SimulatedProcess>();
  /** How long a process had been awake when it was first told that an attempt is held, by process and attempt. */
  readonly #toldAt = new Map<string, number>();

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
    this.unsaved = new UnsavedInvariants(world, invariants);
    this.notices = new NoticeInvariants(world, invariants);
    this.verdicts = new VerdictInvariants(world, invariants);
    this.accounts = new AccountInvariants(world, invariants);
  }

  onStart(call: Call): void {
    this.pending.add(call);
    this.unsaved.onStart(call);
    this.notices.onStart(call);
    this.verdicts.onStart(call);
    const { kind, process, accessToken } = call;
    if (accessToken === undefined) return;
    if (kind === "replace") this.#rejected.add(`${process.name} ${accessToken}`);
    if (kind === "signIn") this.onTokens(call, accessToken);
  }

  /** A program has tokens, and is about to sign in with them: its own, or those that a flow has returned. */
  onTokens(call: Call, accessToken: string): void {
    call.accessToken = accessToken;
    this.#signedIn.add(readToken(accessToken).family);
    this.accounts.onTokens(call);
    if (call.kind === "signInWith") this.#invariants.prompts.onTokens(call, readToken(accessToken).account);
  }

  onRecord(before: SessionRecord | undefined, after: SessionRecord | undefined): void {
    this.notices.onRecord(before, after);
    this.verdicts.onRecord(before, after);
    this.accounts.onRecord(accountOf(before), accountOf(after));
  }

  onResolved(call: Call, accessToken: string | undefined): void {
    this.pending.delete(call);
    this.unsaved.onResolved(call, accessToken);
    this.notices.onResolved(call, accessToken);
    this.verdicts.onResolved(call, accessToken);
    const { process, kind } = call;
    if (kind === "close") this.#checkClosed(process);
    this.accounts.onResolved(call);
    this.#invariants.prompts.onResolved(call);
    if (kind === "signIn" || kind === "signInWith" || accessToken !== undefined) this.#served.add(process);
    if (accessToken === undefined) return;
    this.accounts.checkReceived(process, accessToken);
    if (kind !== "refresh") this.#checkExpiry(process, accessToken);
    // P10: the replacement of a rejected token is a different token.
    const isSame = kind === "replace" && accessToken === call.accessToken;
    this.#invariants.require(
      !isSame,
      "P10",
      () => `${process.name} received the rejected ${shortAccess(readToken(accessToken))} again`,
    );
  }

  /** P7, P15: calls reject with an UnexpiredError, the caller's own abort reason, or the error of its flow. P8: the error contains no token. */
  onRejected(call: Call, error: unknown): void {
    this.pending.delete(call);
    this.unsaved.onRejected(call);
    this.verdicts.onRejected(call, error);
    this.accounts.onRejected(call);
    this.#invariants.prompts.onRejected(call, error);
    const isOwnAbort = (call.kind === "get, impatient" || call.kind === "signInWith") && error === IMPATIENT;
    const isOfFlow = this.#invariants.prompts.isOfFlow(call, error);
    const isClosed = error instanceof TypeError && error.message.includes("closed");
    const text = () => `${call.process.name} got an error that is not an UnexpiredError: ${inspect(error)}`;
    this.#invariants.require(isOwnAbort || isClosed || isOfFlow || UnexpiredError.is(error), "P7", text);
    this.#checkSecrets(error, `${call.process.name}'s error`);
    if (UnexpiredError.is(error) && error.code === "REFRESH_FAILED" && error.reason === "claimed")
      this.#checkHeld(call);
    // P7 (I14): once a process has seen a session, only a verdict ends it; a missing record does not.
    const isNoSession = UnexpiredError.is(error) && error.code === "SIGN_IN_REQUIRED" && error.reason === "no_session";
    const hadToken = () => `${call.process.name} had a token, and is told that there is no session`;
    const { current } = this.#invariants.records;
    // It may have found another program's session since, or a sign-in in the place of the directory that was lost.
    const isLost = this.#world.isSessionLost || (current !== undefined && isEmpty(current));
    this.#invariants.require(!isNoSession || isLost || !this.#served.has(call.process), "P7", hadToken);
  }

  /** P15: only a process that is alive and late keeps others from a token, and only for a limited time. */
  #checkHeld({ process, startedAt }: Call): void {
    const { claims, current } = this.#invariants.records;
    const attempt = current?.attempt;
    const key = attempt ? claimKey(attempt) : "";
    const claim = claims.get(key);
    const holder = claim && this.#world.find(claim.holder);
    // The claim may have ended since the process read it.
    if (attempt?.status !== "claimed" || !claim || !holder || this.#isUnsure(process)) return;
    const { now } = this.#world.scheduler;
    const text = (why: string) => () => `${process.name} is told that ${holder.name} has claimed the refresh, ${why}`;
    this.#invariants.require(holder.diedAt > startedAt, "P15", text("which had died by then"));
    const claimedAt = this.#world.sinceStart(attempt.claimedAt) - process.machine.offset; // it may be saved much later
    const age = now - Math.min(claim.at, claimedAt);
    const seenAt = Math.max(claim.at, process.continuedAt);
    const isSlow = this.#world.faults.injected["slow load"] !== undefined;
    const mayBeLater = now - seenAt < (isSlow ? NOTICED_SLOWLY : NOTICED); // than the one that the process has read
    this.#invariants.require(mayBeLater || age >= claim.lease - 500, "P15", text("whose lease has not expired"));
    const told = `${process.name} ${key}`;
    const since = this.#toldAt.get(told) ?? process.awake;
    this.#toldAt.set(told, since);
    const waited = process.awake - since;
    const limit = Math.max(HOLD, claim.lease);
    this.#invariants.require(waited < limit + 5_000, "P15", text(`after ${Math.round(waited)} ms`));
  }

  /** Whether the process may be wrong about how long another one is late, or about whether it is alive. */
  #isUnsure({ machine }: SimulatedProcess): boolean {
    return machine.jumps > 0 || this.#world.faults.injected["holder check fails"] !== undefined;
  }

  onEvent(process: SimulatedProcess, event: SessionEvent): void {
    this.unsaved.onEvent(process, event);
    const printed = JSON.stringify(event);
    this.#invariants.require(
      !printed.includes(CANARY),
      "P8",
      () => `${process.name}'s event shows a token: ${printed}`,
    );
  }

  /** P8: no way of printing an error prints a token. */
  #checkSecrets(error: unknown, what: string): void {
    const parts: string[] = [];
    for (let each = error, depth = 0; each instanceof Error && depth < 8; each = each.cause, depth++) {
      parts.push(each.message, each.stack ?? "", JSON.stringify(each));
    }
    const printed = parts.join("\n");
    this.#invariants.require(!printed.includes(CANARY), "P8", () => `${what} shows a token: ${printed}`);
  }

  /** Records which process stored a token first. */
  onStored(author: string, accessToken = ""): void {
    if (!this.#stored.has(accessToken)) this.#stored.set(accessToken, { author, at: this.#world.scheduler.now });
  }

  /** Whether a process may take a token for new whatever its date says: it waited for the process that stored it. */
  #mayTakeForNew({ name }: SimulatedProcess, accessToken: string): boolean {
    const { scheduler, server } = this.#world;
    const { author = name, at = 0 } = this.#stored.get(accessToken) ?? {};
    return author !== name && scheduler.now - at <= Math.max(1_000, server.rules.lifetime / 5) + NOTICED;
  }

  /** P13: no expired token is returned (if clocks agree and never jumped). */
  #checkExpiry(process: SimulatedProcess, accessToken: string): void {
    const { scheduler, isSkewed } = this.#world;
    const left = (this.#expiries.get(accessToken) ?? Number.POSITIVE_INFINITY) - scheduler.now;
    const text = () =>
      `${process.name} received ${shortAccess(readToken(accessToken))}, ${Math.round(-left)} ms after its expiry`;
    const isExempt = this.#mayTakeForNew(process, accessToken);
    this.#invariants.require(isSkewed || isExempt || left > 0, "P13", text);
    this.#checkLifetime(process, accessToken);
  }

  /** P13: whatever the wall clock says, a process returns a token for no longer than the token's lifetime. */
  #checkLifetime({ name, clock }: SimulatedProcess, accessToken: string): void {
    const key = `${name} ${accessToken}`;
    const now = clock.monotonic();
    const age = now - (this.#receivedAt.get(key) ?? now);
    this.#receivedAt.set(key, now - age);
    const { hasForeignWrite } = this.#invariants.records;
    const isOtherClock = this.#world.documents !== undefined && this.#world.isSkewed; // that of the other program
    const isExempt = !this.#expiries.has(accessToken) || hasForeignWrite || isOtherClock;
    const text = () => `${name} received ${shortAccess(readToken(accessToken))} again after ${Math.round(age)} ms`;
    this.#invariants.require(isExempt || age < this.#world.server.rules.lifetime, "P13", text);
  }

  /** P12: `close()` waits for the exchange in flight. */
  #checkClosed(process: SimulatedProcess): void {
    const isBusy = this.#invariants.exchanges.isBusy(process);
    this.#invariants.require(!isBusy, "P12", () => `${process.name} was closed with an exchange in flight`);
  }

  /** P12: only a waiting caller, an exchange in flight, or tokens just received keep a process alive. */
  checkIdle(process: SimulatedProcess): void {
    this.unsaved.checkAlive(process);
    if (!process.isRunning || process.keepingAlive === 0 || this.#invariants.exchanges.isBusy(process)) return;
    if (this.unsaved.mayBeSaving(process)) return;
    const isAsked = [...this.pending].some((call) => call.process === process);
    this.#invariants.require(isAsked, "P12", () => `${process.name} is idle, but a timer keeps it alive`);
  }

  /** P15: every call settles. */
  checkEnd(): void {
    for (const { process, kind, startedAt } of this.pending) {
      if (process.state === "dead") continue;
      this.#invariants.break("P15", `${process.name}'s ${kind} of t=${startedAt} never settled`);
    }
  }

  /** Whether a sign-in to this session has begun. */
  signsIn(family: number): boolean {
    return this.#signedIn.has(family);
  }

  /** Whether the process has not yet been told what became of its sign-in to this session: it saves until it is stored. */
  isSigningInTo(family: number, name: string): boolean {
    return [...this.pending].some(
      (call) => isSignIn(call) && call.process.name === name && readToken(call.accessToken ?? "").family === family,
    );
  }

  /** Whether a call of `refresh()` is pending. */
  isRefreshing(process: SimulatedProcess): boolean {
    return [...this.pending].some((call) => call.process === process && call.kind === "refresh");
  }

  /** Whether the process has a reason to replace a token early: a 401, or a `refresh()` since the token was issued. */
  wantsNewer(process: SimulatedProcess, accessToken: string): boolean {
    if (this.#rejected.has(`${process.name} ${accessToken}`)) return true;
    const appeared = this.#appeared.get(accessToken) ?? 0;
    return [...this.pending].some(
      (call) => call.process === process && call.kind === "refresh" && (call.isFirst || call.startedAt >= appeared),
    );
  }

  /** Records when an access token was issued, and when it expires, if that is known. */
  onIssued(accessToken: string, { isExpiryKnown }: { readonly isExpiryKnown: boolean }): void {
    const { scheduler, server } = this.#world;
    this.#appeared.set(accessToken, scheduler.now);
    if (isExpiryKnown) this.#expiries.set(accessToken, scheduler.now + server.rules.lifetime);
  }
}
