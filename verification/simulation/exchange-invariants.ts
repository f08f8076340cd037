import type { TokenSet } from "@unexpired/core";
import { EXCHANGE_DEADLINE } from "./constants.ts";
import type { Invariants } from "./invariants.ts";
import type { SimulatedProcess } from "./process.ts";
import { claimKey } from "./record-tokens.ts";
import type { RefreshOutcome } from "./server.ts";
import { readToken, shortRefresh, type Token } from "./tokens.ts";
import type { World } from "./world.ts";

/** One call of a refresh function: from then on, the request may be sent at any time. */
export interface HandOver {
  readonly process: SimulatedProcess;
  readonly digest: string;
  readonly claimKey: string;
  readonly at: number;
  /** How often its machine's clock had jumped. */
  readonly jumps: number;
  /** Its process knows that the token is not used up: never sent, or the response came without a rotation. */
  isHarmless: boolean;
  /** No caller waits for it any longer: it has a response, or its deadline has passed. */
  isSettled: boolean;
  /** When the response reaches the machine, in virtual milliseconds. */
  respondsAt: number;
}

/** A response that arrives this shortly before the deadline may come too late. */
const SHORTLY = 201;

/** The invariants about which process may present which refresh token, and when. */
export class ExchangeInvariants {
  readonly #world: World;
  readonly #invariants: Invariants;
  readonly log: HandOver[] = [];
  readonly #judged = new Set<string>();
  /** The newest rotation of each session that each process has received. */
  readonly #received: { readonly process: SimulatedProcess; readonly token: Token }[] = [];
  /** The access tokens that each process has received, by process and token. */
  readonly #own = new Set<string>();
  /** When the process requested an access token of its own, by process, clock and token. */
  readonly #requested = new Map<string, number>();

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
  }

  onHandOver(process: SimulatedProcess, current: TokenSet, attemptId: string): HandOver {
    const refreshToken = current.refreshToken ?? "none";
    const digest = this.#invariants.book.digest(refreshToken);
    const what = `${process.name} presents ${shortRefresh(readToken(refreshToken))}`;
    const key = claimKey({ id: attemptId, holder: this.#world.holderFor(process).holder?.id });
    const open = this.#openOf(digest);
    const isReplay = this.#invariants.failovers.checkPresented({ process, digest, key, open, what });
    if (!isReplay) this.#checkOnce(open, what);
    this.#checkClaim(key, what);
    this.#checkNeed(process, current, what);
    this.#checkRate(process, current, what);
    this.#invariants.callers.accounts.checkPresented(process, current.accessToken);
    this.#invariants.callers.verdicts.checkPresented(process, digest, current.accessToken);
    const at = this.#world.scheduler.now;
    const handOver = {
      process,
      digest,
      claimKey: key,
      at,
      jumps: process.machine.jumps,
      isHarmless: false,
      isSettled: false,
      respondsAt: Number.POSITIVE_INFINITY,
    };
    this.log.push(handOver);
    return handOver;
  }

  /** An earlier presentation that may have had an effect, and is not recorded as lost. */
  #openOf(digest: string): HandOver | undefined {
    return this.log.find(
      (other) => other.digest === digest && !other.isHarmless && !this.#invariants.records.wasLost(other),
    );
  }

  /** P1: presented again only if every earlier presentation certainly had no effect, or is recorded as lost. */
  #checkOnce(open: HandOver | undefined, what: string): void {
    this.#invariants.require(
      !open,
      "P1",
      () => `${what}, which ${open?.process.name} presented before; no record marks that attempt as lost`,
    );
  }

  /** P6: an exchange starts only on a claim that was in the record and that has not been marked as lost. */
  #checkClaim(key: string, what: string): void {
    const claim = this.#invariants.records.claims.get(key);
    this.#invariants.require(claim !== undefined, "P1", () => `${what} without a claim in the record`);
    this.#invariants.require(claim?.isLost !== true, "P6", () => `${what} on a claim that is recorded as lost`);
  }

  /** P4: without faults, no process renews tokens that are not due, not rejected, and not asked to be renewed. */
  #checkNeed(process: SimulatedProcess, current: TokenSet, what: string): void {
    if (this.#world.hasFaults || current.expiresAt === undefined) return;
    const { lifetime } = this.#world.server.rules;
    const isDue = process.clock.now() >= current.expiresAt - Math.min(300_000, lifetime / 5) - 100;
    const { callers } = this.#invariants;
    // A pending refresh() may apply to a session that began after the call.
    const isWanted = isDue || callers.wantsNewer(process, current.accessToken) || callers.isRefreshing(process);
    this.#invariants.require(isWanted, "P4", () => `${what}, though it is neither due nor rejected`);
  }

  /**
   * P13, P10: tokens of the process's own exchange are renewed neither by the clock nor by a 401 for a while, except
   * once after its clock has jumped.
   */
  #checkRate(process: SimulatedProcess, { accessToken }: TokenSet, what: string): void {
    const requestedAt = this.#requested.get(nameOf(process, process.machine.jumps, accessToken));
    if (requestedAt === undefined || this.#invariants.callers.isRefreshing(process)) return;
    const fifth = this.#world.server.rules.lifetime / 5;
    const isRejected = this.#invariants.callers.wantsNewer(process, accessToken);
    const span = isRejected ? Math.min(30_000, fifth) : 1_000;
    const age = this.#world.scheduler.now - requestedAt;
    const text = () => `${what} ${Math.round(age)} ms after it requested the token`;
    this.#invariants.require(age >= span - 1, isRejected ? "P10" : "P13", text);
  }

  /** P2: once the request may have been sent, only the deadline cancels it, and not if the response is there (I19). */
  onAbort(handOver: HandOver): void {
    if (handOver.isSettled) return;
    const after = this.#world.scheduler.now - handOver.at;
    handOver.isSettled = true;
    const text = () => `${handOver.process.name}'s exchange was canceled ${Math.round(after)} ms after it started`;
    this.#invariants.require(after >= EXCHANGE_DEADLINE - 1, "P2", text);
    const waiting = this.#world.scheduler.now - handOver.respondsAt;
    const unread = () => `${handOver.process.name} gave up a response that had arrived ${waiting} ms before`;
    this.#invariants.require(waiting < SHORTLY, "P2", unread);
  }

  /** Nothing is known about the age of a session that another program has brought. */
  onAdopted(): void {
    this.#requested.clear();
  }

  onVerdict(handOver: HandOver): void {
    this.#judged.add(handOver.digest);
  }

  onTokens({ process, at, jumps }: HandOver, outcome: RefreshOutcome & { readonly kind: "tokens" }): void {
    this.#received.push({ process, token: outcome.token });
    this.#invariants.callers.unsaved.onTokens(process);
    this.#invariants.book.digest(outcome.refreshToken);
    this.#requested.set(nameOf(process, jumps, outcome.response.access_token), at);
    this.#own.add(`${process.name} ${outcome.response.access_token}`);
  }

  /** Whether a response of the server to this process contained the access token. */
  hasReceived(process: string, accessToken: string): boolean {
    return this.#own.has(`${process} ${accessToken}`);
  }

  /** Whether the server rejected this token for good. */
  wasJudged(digest: string | undefined): boolean {
    return digest !== undefined && this.#judged.has(digest);
  }

  /** The newest refresh token of each session that a process received, unless it died, or was told on closing that it is lost. */
  received(): ReadonlyMap<number, Token> {
    const newest = new Map<number, Token>();
    for (const { process, token } of this.#received) {
      const isExcused = process.state === "dead" || this.#invariants.callers.unsaved.hasLost(process);
      if (!isExcused && token.number >= (newest.get(token.family)?.number ?? 0)) newest.set(token.family, token);
    }
    return newest;
  }

  /** Whether the process has an exchange in flight. */
  isBusy(process: SimulatedProcess): boolean {
    return this.log.some((each) => each.process === process && !each.isSettled);
  }
}

const nameOf = ({ name }: SimulatedProcess, jumps: number, accessToken: string): string =>
  `${name} ${jumps} ${accessToken}`;
