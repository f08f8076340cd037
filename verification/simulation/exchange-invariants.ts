import type { TokenSet } from "@unexpired/core";
import { EXCHANGE_DEADLINE } from "./constants.ts";
import type { Invariants } from "./invariants.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Answer } from "./server.ts";
import { readToken, shortRefresh, type Token } from "./tokens.ts";
import type { World } from "./world.ts";

/** One call of a refresh function: from then on the request may leave at any time. */
export interface HandOver {
  readonly process: SimulatedProcess;
  readonly digest: string;
  readonly attemptId: string;
  readonly at: number;
  /** Its process knows that the token was not used up: never sent, or answered without a rotation. */
  isHarmless: boolean;
  /** Nobody waits for it any more: answered, or past its deadline. */
  isSettled: boolean;
}

/** What may be presented, by whom, and when. */
export class ExchangeInvariants {
  readonly #world: World;
  readonly #invariants: Invariants;
  readonly log: HandOver[] = [];
  readonly #judged = new Set<string>();
  /** The newest rotation of each session that each process has received. */
  readonly #received: { readonly process: SimulatedProcess; readonly token: Token }[] = [];
  /** When the process's own exchange brought an access token, by process and token. */
  readonly #obtained = new Map<string, number>();

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
  }

  onHandOver(process: SimulatedProcess, current: TokenSet, attemptId: string): HandOver {
    const refreshToken = current.refreshToken ?? "none";
    const digest = this.#invariants.book.digest(refreshToken);
    const what = `${process.name} presents ${shortRefresh(readToken(refreshToken))}`;
    this.#checkOnce(digest, what);
    this.#checkClaim(attemptId, what);
    this.#checkNeed(process, current, what);
    this.#checkRate(process, current, what);
    this.#invariants.callers.checkPresented(process, current.accessToken);
    const at = this.#world.scheduler.now;
    const handOver = { process, digest, attemptId, at, isHarmless: false, isSettled: false };
    this.log.push(handOver);
    return handOver;
  }

  /** P1: again only if every earlier presentation came to nothing for certain, or is recorded as lost. */
  #checkOnce(digest: string, what: string): void {
    const open = this.log.find(
      (other) => other.digest === digest && !other.isHarmless && !this.#invariants.records.wasLost(other),
    );
    this.#invariants.require(
      !open,
      "P1",
      () => `${what}, which ${open?.process.name} presented before; no record says that it was lost`,
    );
  }

  /** P6: an exchange starts on a claim that the record has shown and that nobody has taken for lost. */
  #checkClaim(attemptId: string, what: string): void {
    const claim = this.#invariants.records.claims.get(attemptId);
    this.#invariants.require(claim !== undefined, "P1", () => `${what} without a claim in the record`);
    this.#invariants.require(claim?.isLost !== true, "P6", () => `${what} on a claim that is recorded as lost`);
  }

  /** P4: in a world without faults nobody renews what need not be: not due, not refused, no renewal asked for since. */
  #checkNeed(process: SimulatedProcess, current: TokenSet, what: string): void {
    if (this.#world.hasFaults || current.expiresAt === undefined) return;
    const { lifetime } = this.#world.server.rules;
    const isDue = process.clock.now() >= current.expiresAt - Math.min(300_000, lifetime / 5) - 100;
    const { callers } = this.#invariants;
    // A refresh() that is under way may end on a session that began meanwhile.
    const isWanted = isDue || callers.wantsNewer(process, current.accessToken) || callers.asksForRefresh(process);
    this.#invariants.require(isWanted, "P4", () => `${what}, though it is not due and nobody refused it`);
  }

  /** P13, P10: what our own exchange brought is not renewed by the clock, nor by a 401, for a while. */
  #checkRate(process: SimulatedProcess, { accessToken }: TokenSet, what: string): void {
    const obtainedAt = this.#obtained.get(`${process.name} ${accessToken}`);
    if (obtainedAt === undefined || this.#invariants.callers.asksForRefresh(process)) return;
    const fifth = this.#world.server.rules.lifetime / 5;
    const isRefused = this.#invariants.callers.wantsNewer(process, accessToken);
    const span = isRefused ? Math.min(30_000, fifth) : 1_000;
    const age = this.#world.scheduler.now - obtainedAt;
    const text = () => `${what} ${Math.round(age)} ms after its own exchange brought the token`;
    this.#invariants.require(age >= span - 1, isRefused ? "P10" : "P13", text);
  }

  /** P2: once the request may have left, only the deadline cancels it. */
  onAbort(handOver: HandOver): void {
    const after = this.#world.scheduler.now - handOver.at;
    handOver.isSettled = true;
    const text = () => `${handOver.process.name}'s exchange was cancelled ${Math.round(after)} ms after it started`;
    this.#invariants.require(after >= EXCHANGE_DEADLINE - 1, "P2", text);
  }

  onVerdict(handOver: HandOver): void {
    this.#judged.add(handOver.digest);
  }

  onTokens({ process, isSettled, at }: HandOver, answer: Answer & { readonly kind: "tokens" }): void {
    this.#received.push({ process, token: answer.token });
    this.#invariants.book.digest(answer.refreshToken);
    const since = isSettled ? at : this.#world.scheduler.now; // after the deadline it is as old as its request
    this.#obtained.set(`${process.name} ${answer.response.access_token}`, since);
  }

  /** Whether the server refused this token for good. */
  wasJudged(digest: string | undefined): boolean {
    return digest !== undefined && this.#judged.has(digest);
  }

  /** Of each session, the newest refresh token that a process has received and not taken to its grave. */
  received(): ReadonlyMap<number, Token> {
    const newest = new Map<number, Token>();
    for (const { process, token } of this.#received) {
      const isExcused = process.state === "dead" || this.#invariants.callers.gaveUp(process);
      if (!isExcused && token.number >= (newest.get(token.family)?.number ?? 0)) newest.set(token.family, token);
    }
    return newest;
  }

  /** Whether an exchange of the process is under way. */
  isBusy(process: SimulatedProcess): boolean {
    return this.log.some((each) => each.process === process && !each.isSettled);
  }
}
