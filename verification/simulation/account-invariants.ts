import { type Call, isSignIn } from "./calls.ts";
import type { Invariants } from "./invariants.ts";
import type { SimulatedProcess } from "./process.ts";
import { readToken } from "./tokens.ts";
import type { World } from "./world.ts";

/** How long a process may take from its look at the record to its claim of a sign-in, in milliseconds. */
const MOMENT = 1_000;

/** P14: a manager keeps to the session of one account. */
export class AccountInvariants {
  readonly #world: World;
  readonly #invariants: Invariants;
  readonly #accounts = new Map<SimulatedProcess, Set<string>>();
  readonly #hasSignedIn = new Set<SimulatedProcess>();
  readonly #unsure = new Set<SimulatedProcess>();
  /** The processes that have waited for a sign-in, and may have adopted its account. */
  readonly #adopting = new Set<SimulatedProcess>();
  readonly #signedInAt = new Map<SimulatedProcess, number>();
  /** When the record last held a session of each account, in virtual milliseconds. */
  readonly #heldUntil = new Map<string, number>();

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
  }

  /** A program has tokens, and is about to sign in with them. */
  onTokens({ process, accessToken = "" }: Call): void {
    this.#hasSignedIn.add(process);
    this.#accountsOf(process).add(readToken(accessToken).account);
  }

  onResolved(call: Call): void {
    const { process, accessToken, kind } = call;
    if (isSignIn(call) && accessToken !== undefined) {
      this.#accounts.set(process, new Set([readToken(accessToken).account]));
      this.#unsure.delete(process);
      this.#signedInAt.set(process, this.#world.scheduler.now);
    } else if (kind === "signInWith") this.#onAdopted(call);
  }

  onRejected(call: Call): void {
    if (isSignIn(call)) this.#unsure.add(call.process);
  }

  /** A call may have adopted the account that the user has chosen in the process for which it waited. */
  #onAdopted(call: Call): void {
    const { process } = call;
    const known = this.#accountsOf(process);
    const chosen = this.#invariants.prompts.chosenDuring(call).filter((account) => !known.has(account));
    if (known.size === 0 || chosen.length === 0) return;
    for (const account of chosen) known.add(account);
    this.#adopting.add(process);
    this.#hasSignedIn.add(process);
  }

  /** Records of which account the stored session is. */
  onRecord(before: string | undefined, after: string | undefined): void {
    if (before !== undefined) this.#heldUntil.set(before, this.#world.scheduler.now);
    if (after !== undefined) this.#heldUntil.set(after, Number.POSITIVE_INFINITY);
  }

  /** Whether a manager may have belonged to another account than this one at a time, in virtual milliseconds. */
  mayBelongElsewhere(process: SimulatedProcess, account: string | undefined, time: number): boolean {
    const known = this.#accountsOf(process);
    if (time - MOMENT <= (this.#signedInAt.get(process) ?? Number.NEGATIVE_INFINITY)) return true;
    if (this.#isSigningIn(process) || [...known].some((each) => each !== account)) return true;
    const others = [...this.#heldUntil].filter(([other]) => other !== account);
    return known.size === 0 && others.some(([, until]) => until >= process.bornAt);
  }

  /** A manager returns and presents tokens of one account only, unless it signs in to another. */
  check(process: SimulatedProcess, token: string, what: string): void {
    const { account } = readToken(token);
    const accounts = this.#accountsOf(process);
    if (accounts.size === 0 || this.#isSigningIn(process) || this.#isAdopted(process, account)) accounts.add(account);
    this.#invariants.require(
      accounts.has(account),
      "P14",
      () => `${process.name}, of account ${[...accounts]}, ${what} of ${account}`,
    );
  }

  /** A token was received: its account is the one to which the manager belongs by now. */
  checkReceived(process: SimulatedProcess, accessToken: string): void {
    this.check(process, accessToken, "received a token");
    if (this.#adopting.delete(process)) this.#accounts.set(process, new Set([readToken(accessToken).account]));
  }

  /** The same for presented tokens, except for an exchange that was in flight during its own sign-in. */
  checkPresented(process: SimulatedProcess, token: string): void {
    if (token !== "" && !this.#hasSignedIn.has(process)) this.check(process, token, "presented a token");
  }

  /** While a sign-in is pending, or if its outcome is unknown, the manager may belong to either account. */
  #isSigningIn(process: SimulatedProcess): boolean {
    return this.#unsure.has(process) || this.#pendingOf(process).some(isSignIn);
  }

  /** Whether a pending call has waited for a sign-in to this account: its manager adopts it just before the call resolves. */
  #isAdopted(process: SimulatedProcess, account: string): boolean {
    const waiting = this.#pendingOf(process).filter(({ kind }) => kind === "signInWith");
    return waiting.some((call) => this.#invariants.prompts.chosenDuring(call).includes(account));
  }

  #pendingOf(process: SimulatedProcess): readonly Call[] {
    return [...this.#invariants.callers.pending].filter((call) => call.process === process);
  }

  #accountsOf(process: SimulatedProcess): Set<string> {
    const known = this.#accounts.get(process) ?? new Set();
    this.#accounts.set(process, known);
    return known;
  }
}
