import { type SignInFailedReason, UnexpiredError } from "@unexpired/core";
import { isSpent, type SessionRecord, type SignInClaim } from "../../packages/core/src/record/record.ts";
import { type Call, isSignIn } from "./calls.ts";
import type { Invariants } from "./invariants.ts";
import type { SimulatedProcess } from "./process.ts";
import { PromptWaits } from "./prompt-waits.ts";
import { accountOf, nameOf } from "./record-tokens.ts";
import { readToken } from "./tokens.ts";
import type { World } from "./world.ts";

/** A claim that has been in the record, as far as the stored records show it. */
interface PromptClaim {
  readonly id: string;
  readonly claimedAt: number;
  readonly lease: number;
  readonly process: SimulatedProcess;
  /** When it appeared, and when it was marked as failed or left the record, in virtual milliseconds. */
  readonly at: number;
  failedAt?: number;
  endedAt?: number;
  /** Whether it left the record without its process, or another claim. */
  isLost?: boolean;
  /** Whether its own process has removed it. */
  isReleased?: boolean;
  failure?: string;
  prompt?: Prompt;
}

/** A flow that asks its user. */
interface Prompt {
  readonly call: Call;
  readonly claim: PromptClaim;
  /** Why it failed, and when, in virtual milliseconds. */
  error?: unknown;
  failedAt?: number;
  /** When its call settled. */
  settledAt?: number;
}

/** The failures that end the sign-in of every process that waits for it. */
const SHARED: readonly SignInFailedReason[] = ["refused", "timeout"];

/** How long before a moment a process may have read what it acts on, in milliseconds. */
const NOTICED = 1_100;

/** P16: of the processes that sign in with a flow, one asks its user, and only if no session is alive. */
export class PromptInvariants {
  readonly claims = new Map<string, PromptClaim>();
  readonly waits: PromptWaits;
  readonly #world: World;
  readonly #invariants: Invariants;
  readonly #prompts = new Map<Call, Prompt>();
  /** The accounts that users have chosen. */
  readonly #chosen: { readonly account: string; readonly call: Call }[] = [];
  /** When each session was first stored, in virtual milliseconds. */
  readonly #stored = new Map<number, number>();
  /** When the record last held a live session, in virtual milliseconds. */
  #aliveUntil = Number.NEGATIVE_INFINITY;

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
    this.waits = new PromptWaits(world, invariants);
  }

  onRecord(before: SessionRecord | undefined, after: SessionRecord | undefined, author: string): void {
    const { now } = this.#world.scheduler;
    this.#onSession(before, after);
    const [old, next] = [before?.signIn, after?.signIn];
    const process = this.#world.find(author);
    if (old && old.id !== next?.id) this.#onEnded(old.id, next, process);
    if (!next) return;
    const known = this.claims.get(next.id);
    if (!known && process)
      this.#onClaimed(
        { id: next.id, claimedAt: next.claimedAt, lease: next.lease, process, at: now },
        isAlive(after) ? before : undefined,
      );
    else if (known && next.failure !== undefined && known.failure === undefined)
      this.#onMarked(known, next.failure, process);
  }

  #onSession(before: SessionRecord | undefined, after: SessionRecord | undefined): void {
    const { now } = this.#world.scheduler;
    if (isAlive(before)) this.#aliveUntil = now;
    if (isAlive(after)) this.#aliveUntil = Number.POSITIVE_INFINITY;
    const family = after?.tokens && readToken(after.tokens.accessToken).family;
    if (family !== undefined && !this.#stored.has(family)) this.#stored.set(family, now);
  }

  #onEnded(id: string, next: SignInClaim | undefined, process: SimulatedProcess | undefined): void {
    const claim = this.claims.get(id);
    if (!claim) return;
    claim.endedAt = this.#world.scheduler.now;
    claim.isReleased = process === claim.process && !next;
    // A claim forbids no other once it was lost with its record, overwritten by another program, or old by another clock.
    claim.isLost = process !== claim.process && (!next || !process || isOld(claim, process));
  }

  /** `before`: the session that the claim leaves alive. One that its process knows to have ended, it ends with the claim. */
  #onClaimed(claim: PromptClaim, before: SessionRecord | undefined): void {
    this.claims.set(claim.id, claim);
    const { records, callers } = this.#invariants;
    const isKnown = records.hasForeignWrite || records.isRestored || isSpent(before);
    const preparedAt = this.#world.sinceStart(claim.claimedAt) - claim.process.machine.offset;
    const isOther = callers.accounts.mayBelongElsewhere(claim.process, accountOf(before), preparedAt);
    const text = () => `${claim.process.name} is about to ask its user, although ${nameOf(before)} is alive`;
    this.#require(!isAlive(before) || isKnown || isOther, text);
  }

  /** Only its own process marks a claim as failed, and only if its user has not signed in. */
  #onMarked(claim: PromptClaim, failure: string, process: SimulatedProcess | undefined): void {
    Object.assign(claim, { failure, failedAt: this.#world.scheduler.now });
    const reason = reasonOf(claim.prompt?.error);
    const isRight = process === claim.process && reason === failure && SHARED.includes(reason);
    this.#require(isRight, () => `${process?.name} marked the sign-in of ${claim.process.name} as ${failure}`);
  }

  /** A flow is about to ask its user. */
  onFlow(call: Call): void {
    const { name } = call.process;
    const unused = [...this.claims.values()].filter(({ process, prompt }) => process === call.process && !prompt);
    const claim = unused.at(-1);
    this.#require(claim !== undefined, () => `${name} asks its user without a claim`);
    if (!claim) return;
    const isExpired = isOld(claim, call.process) && call.process.machine.jumps === 0;
    this.#require(!isExpired, () => `${name} asks its user on a claim that has expired`);
    if (!claim.isLost) this.#checkOthers(call);
    this.#checkRefusals(call, claim);
    claim.prompt = { call, claim };
    this.#prompts.set(call, claim.prompt);
  }

  /** One prompt: no other living process has a claim that is valid, nor another call of this one. */
  #checkOthers({ process }: Call): void {
    const other = [...this.#prompts.values()].find((each) => this.#isAsking(each, process));
    const text = () => `${process.name} asks its user, while ${other?.call.process.name} asks its own`;
    this.#require(!other, text);
  }

  #isAsking({ call, claim, failedAt, settledAt }: Prompt, observer: SimulatedProcess): boolean {
    const isReleased = claim.isReleased && call.accessToken !== undefined; // its tokens could not be saved
    const hasEnded = failedAt !== undefined || settledAt !== undefined || isReleased || this.#isStored(call);
    return !hasEnded && !claim.isLost && claim.process.state !== "dead" && !isOld(claim, observer);
  }

  /** Whether the session of a call's flow has been stored. */
  #isStored({ accessToken }: Call): boolean {
    return accessToken !== undefined && this.#stored.has(readToken(accessToken).family);
  }

  /** A user's refusal counts for every call that has waited for it. */
  #checkRefusals({ process, startedAt }: Call, own: PromptClaim): void {
    if (this.#world.hasFaults) return;
    const isShared = ({ claim, error, failedAt = 0 }: Prompt) => {
      const reason = reasonOf(error);
      const isSeen = reason && SHARED.includes(reason) && failedAt - Math.max(startedAt, claim.at) > NOTICED;
      return isSeen && ![...this.claims.values()].some(({ at, id }) => at >= failedAt && id !== own.id);
    };
    const refused = [...this.#prompts.values()].find(isShared);
    const text = () => `${process.name} asks its user, although that of ${refused?.call.process.name} has refused`;
    this.#require(!refused, text);
  }

  /** A flow has failed, or was aborted. */
  onFailure(call: Call, error: unknown): void {
    const prompt = this.#prompts.get(call);
    if (prompt) Object.assign(prompt, { error, failedAt: this.#world.scheduler.now });
  }

  /** A flow has returned tokens. */
  onTokens(call: Call, account: string): void {
    this.#chosen.push({ account, call });
  }

  /** The accounts that users of other calls have chosen, and whose sessions were not stored before this call began. */
  chosenDuring({ startedAt, process }: Call): readonly string[] {
    return this.#chosen
      .filter(({ call }) => this.#storedAt(call) >= startedAt && call.process !== process)
      .map(({ account }) => account);
  }

  /** When the session of a call's flow was stored; infinity if it has not been. */
  #storedAt({ accessToken }: Call): number {
    const family = accessToken === undefined ? undefined : readToken(accessToken).family;
    return this.#stored.get(family ?? -1) ?? Number.POSITIVE_INFINITY;
  }

  /** Whether a call was rejected with the error of its own flow. */
  isOfFlow(call: Call, error: unknown): boolean {
    const prompt = this.#prompts.get(call);
    return prompt !== undefined && "error" in prompt && prompt.error === error;
  }

  onResolved(call: Call): void {
    if (call.kind !== "signInWith") return;
    this.#onSettled(call);
    const { process, isStarter } = call;
    if (!isStarter) this.#checkAlive(call);
    const text = () => `${process.name} is told that its flow has started a session that was never stored`;
    this.#require(!isStarter || this.#isStored(call), text);
  }

  /** A call that starts no session has found one that is alive. */
  #checkAlive({ process, startedAt }: Call): void {
    const { records } = this.#invariants;
    // A session in another program's document is used even if it cannot be stored.
    const isInDocument = this.#world.documents !== undefined && this.#world.hasFaults;
    const isKnown = records.hasForeignWrite || records.isRestored || isInDocument;
    const since = this.#world.hasFaults ? startedAt : Math.max(startedAt, this.#world.scheduler.now - NOTICED);
    const text = () => `${process.name} is told that it is signed in, but no session is alive`;
    this.#require(isKnown || this.#aliveUntil >= since, text);
  }

  /** A sign-in that failed elsewhere rejects the calls that have waited for it, with its reason. */
  onRejected(call: Call, error: unknown): void {
    if (call.kind !== "signInWith") return;
    this.#onSettled(call);
    const reason = reasonOf(error);
    if (reason === undefined || this.isOfFlow(call, error)) return;
    const isShared = [...this.claims.values()].some(
      ({ failure, failedAt = 0, prompt }) => failure === reason && failedAt >= call.startedAt && prompt?.call !== call,
    );
    const text = () => `${call.process.name} is told that the sign-in has failed (${reason}), which it has not`;
    this.#require(isShared && !isSignIn(call) && !this.#prompts.has(call), text);
  }

  #onSettled(call: Call): void {
    this.waits.onSettled(call);
    const prompt = this.#prompts.get(call);
    if (prompt) prompt.settledAt = this.#world.scheduler.now;
  }

  /** After each step. */
  check(): void {
    const { callers, records } = this.#invariants;
    for (const call of callers.pending)
      if (call.kind === "signInWith" && !this.#prompts.has(call)) this.waits.check(call, records.current?.signIn);
  }

  /** Whether a program that is alive waits for a user. */
  get isAsking(): boolean {
    const { pending } = this.#invariants.callers;
    return [...pending].some(({ kind, process }) => kind === "signInWith" && process.state !== "dead");
  }

  /** A claim ends with its call, as soon as the store accepts that. */
  checkEnd(): void {
    const { current } = this.#invariants.records;
    const claim = this.claims.get(current?.signIn?.id ?? "");
    if (!claim || current?.signIn?.failure !== undefined || claim.endedAt !== undefined) return;
    const isOver = claim.process.isRunning && claim.prompt?.settledAt !== undefined;
    this.#require(!isOver, () => `the sign-in of ${claim.process.name} has ended, and its claim has not`);
  }

  #require(holds: boolean, text: () => string): void {
    this.#invariants.require(holds, "P16", text);
  }
}

/** Whether a record holds a session that can be used. Every one in a simulation has a refresh token. */
const isAlive = (record: SessionRecord | undefined): boolean => record?.tokens !== undefined && !record.dead;

/** Whether a process may take a claim for old, by its wall clock. */
const isOld = ({ claimedAt, lease }: PromptClaim, { clock, machine }: SimulatedProcess): boolean =>
  machine.jumps > 0 || clock.now() - claimedAt >= lease;

const reasonOf = (error: unknown): SignInFailedReason | undefined =>
  UnexpiredError.is(error) && error.code === "SIGN_IN_FAILED" ? error.reason : undefined;
