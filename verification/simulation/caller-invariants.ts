import { inspect } from "node:util";
import { type SessionEvent, UnexpiredError } from "@unexpired/core";
import { CANARY } from "../end-to-end/support/canary.ts";
import type { Invariants } from "./invariants.ts";
import type { SimulatedProcess } from "./process.ts";
import { readToken, shortAccess } from "./tokens.ts";
import type { World } from "./world.ts";

/** Something that a program asked of its manager. */
export interface Call {
  readonly process: SimulatedProcess;
  readonly kind: "get" | "get, impatient" | "replace" | "refresh" | "signIn" | "signOut" | "close";
  /** What is refused or signed in with. */
  readonly accessToken?: string | undefined;
  readonly startedAt: number;
  /** Whether its manager had not seen the session yet. */
  readonly isFirst: boolean;
}

/** What programs are given. */
export class CallerInvariants {
  readonly pending = new Set<Call>();
  readonly #world: World;
  readonly #invariants: Invariants;
  readonly #accounts = new Map<SimulatedProcess, Set<string>>();
  readonly #signedIn = new Set<number>();
  readonly #refused = new Set<string>();
  readonly #appeared = new Map<string, number>();
  readonly #served = new Set<SimulatedProcess>();
  readonly #unsaved = new Set<SimulatedProcess>();
  readonly #hasSignedIn = new Set<SimulatedProcess>();
  readonly #unsure = new Set<SimulatedProcess>();
  readonly #gaveUp = new Set<SimulatedProcess>();

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
  }

  onStart(call: Call): void {
    this.pending.add(call);
    const { kind, process, accessToken } = call;
    if (accessToken === undefined) return;
    if (kind === "replace") this.#refused.add(`${process.name} ${accessToken}`);
    if (kind !== "signIn") return;
    const { account, family } = readToken(accessToken);
    this.#signedIn.add(family);
    this.#hasSignedIn.add(process);
    this.#accountsOf(process).add(account);
  }

  onGiven(call: Call, accessToken: string | undefined): void {
    this.pending.delete(call);
    const { process, kind } = call;
    if (kind === "close") this.#checkClosed(process);
    if (kind === "signIn" || accessToken !== undefined) this.#served.add(process);
    if (kind === "signIn" && call.accessToken) {
      this.#accounts.set(process, new Set([readToken(call.accessToken).account]));
      this.#unsure.delete(process);
    }
    if (accessToken === undefined) return;
    this.checkAccount(process, accessToken, "was given a token");
    // P10: what replaces a refused token is another one.
    const isSame = kind === "replace" && accessToken === call.accessToken;
    this.#invariants.require(
      !isSame,
      "P10",
      () => `${process.name} was given the refused ${shortAccess(readToken(accessToken))} again`,
    );
  }

  /** P7, P15: what goes wrong is one of our errors, or the caller's own abort. P8: no token in it. */
  onRefused(call: Call, error: unknown): void {
    this.pending.delete(call);
    if (call.kind === "signIn") this.#unsure.add(call.process);
    const isOwn = call.kind === "get, impatient" && error === IMPATIENT;
    const isClosed = error instanceof TypeError && error.message.includes("closed");
    const text = () => `${call.process.name} got an error that is none of ours: ${inspect(error)}`;
    this.#invariants.require(isOwn || isClosed || UnexpiredError.is(error), "P7", text);
    this.#checkSecrets(error, `${call.process.name}'s error`);
    // P7 (I14): a session that somebody has seen ends by a verdict, and never by not being there.
    const isNothing = UnexpiredError.is(error) && error.code === "SIGN_IN_REQUIRED" && error.reason === "no_session";
    const hasSeen = () => `${call.process.name} has had a token, and is told that there is no session`;
    this.#invariants.require(!isNothing || !this.#served.has(call.process), "P7", hasSeen);
  }

  onEvent(process: SimulatedProcess, event: SessionEvent): void {
    if (event.type === "save-failed") this.#unsaved.add(process);
    if (event.type === "save-recovered" || event.type === "rotation-dropped") this.#unsaved.delete(process);
    const printed = JSON.stringify(event);
    this.#invariants.require(
      !printed.includes(CANARY),
      "P8",
      () => `${process.name}'s event shows a token: ${printed}`,
    );
  }

  /** P8: whatever prints an error prints no token. */
  #checkSecrets(error: unknown, what: string): void {
    const parts: string[] = [];
    for (let each = error, depth = 0; each instanceof Error && depth < 8; each = each.cause, depth++) {
      parts.push(each.message, each.stack ?? "", JSON.stringify(each));
    }
    const printed = parts.join("\n");
    this.#invariants.require(!printed.includes(CANARY), "P8", () => `${what} shows a token: ${printed}`);
  }

  /** P14: a manager hands out and presents tokens of one account, unless it signs in another. */
  checkAccount(process: SimulatedProcess, token: string, what: string): void {
    const { account } = readToken(token);
    const accounts = this.#accountsOf(process);
    if (accounts.size === 0 || this.#isSigningIn(process)) accounts.add(account);
    this.#invariants.require(
      accounts.has(account),
      "P14",
      () => `${process.name}, of account ${[...accounts]}, ${what} of ${account}`,
    );
  }

  /** P14: nor presents one, but for an exchange that was under way when it signed in. */
  checkPresented(process: SimulatedProcess, token: string): void {
    if (!this.#hasSignedIn.has(process)) this.checkAccount(process, token, "presented a token");
  }

  /** Until a sign-in has come to an end, or where nobody knows its end, the manager is of either account. */
  #isSigningIn(process: SimulatedProcess): boolean {
    const signsIn = [...this.pending].some((call) => call.process === process && call.kind === "signIn");
    return signsIn || this.#unsure.has(process);
  }

  #accountsOf(process: SimulatedProcess): Set<string> {
    const known = this.#accounts.get(process) ?? new Set();
    this.#accounts.set(process, known);
    return known;
  }

  /** P12: `close()` waits for the exchange in flight. */
  #checkClosed(process: SimulatedProcess): void {
    if (this.#unsaved.has(process)) this.#gaveUp.add(process);
    const isBusy = this.#invariants.exchanges.isBusy(process);
    this.#invariants.require(!isBusy, "P12", () => `${process.name} was closed with an exchange in flight`);
  }

  /** P12: nothing keeps a process alive but a caller who waits and an exchange in flight. */
  checkIdle(process: SimulatedProcess): void {
    if (process.keepingAlive === 0 || this.#invariants.exchanges.isBusy(process)) return;
    const isAsked = [...this.pending].some((call) => call.process === process);
    this.#invariants.require(isAsked, "P12", () => `${process.name} is idle, and a timer keeps it alive`);
  }

  /** P15: nobody waits for ever. */
  checkEnd(): void {
    for (const { process, kind, startedAt } of this.pending) {
      if (process.state === "dead") continue;
      this.#invariants.break("P15", `${process.name}'s ${kind} of t=${startedAt} never came to an end`);
    }
  }

  /** Whether a sign-in with this session has begun. */
  signsIn(family: number): boolean {
    return this.#signedIn.has(family);
  }

  /** Whether `refresh()` is under way. */
  asksForRefresh(process: SimulatedProcess): boolean {
    return [...this.pending].some((call) => call.process === process && call.kind === "refresh");
  }

  /** Whether the process has a reason to replace a token that is not due: a 401, or a `refresh()` since it appeared. */
  wantsNewer(process: SimulatedProcess, accessToken: string): boolean {
    if (this.#refused.has(`${process.name} ${accessToken}`)) return true;
    const appeared = this.#appeared.get(accessToken) ?? 0;
    return [...this.pending].some(
      (call) => call.process === process && call.kind === "refresh" && (call.isFirst || call.startedAt >= appeared),
    );
  }

  /** When an access token came into the world. */
  onIssued(accessToken: string): void {
    this.#appeared.set(accessToken, this.#world.scheduler.now);
  }

  /** Whether it was closed while the store refused what it had received. */
  gaveUp(process: SimulatedProcess): boolean {
    return this.#gaveUp.has(process);
  }
}

/** Why an impatient caller left. */
export const IMPATIENT = new Error("impatient");
