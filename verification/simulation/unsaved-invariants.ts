import type { SessionEvent } from "@unexpired/core";
import { tryParseRecord } from "../../packages/core/src/record/record.ts";
import { type Call, isSignIn } from "./calls.ts";
import { EXCHANGE_DEADLINE } from "./constants.ts";
import { FILE_FAULTS, LOAD_FAULTS, SAVE_FAULTS, SYNC_FAULTS } from "./faults.ts";
import type { Invariants } from "./invariants.ts";
import type { SimulatedProcess } from "./process.ts";
import { readToken, shortAccess } from "./tokens.ts";
import type { World } from "./world.ts";

/** Timers are due at whole milliseconds, and a save may be running when the deadline passes. */
const TOLERANCE = 100;

/** The extra time after a deadline that is noticed late, for a response that may have arrived, in milliseconds. */
const EXTRA_TIME = 1_000;

/** The faults after which a store may refuse to save. */
const STORE_FAULTS = [
  ...LOAD_FAULTS,
  ...SAVE_FAULTS,
  ...FILE_FAULTS,
  ...SYNC_FAULTS,
  "store out of order at the response",
  "directory vanishes",
  "power failure",
  "failover",
  "later release requires an update",
];

/** The invariants about what a process knows and the store does not hold: received tokens, and that it signed out. */
export class UnsavedInvariants {
  readonly #world: World;
  readonly #invariants: Invariants;
  /** How long a process had been awake when the store refused its tokens. */
  readonly #refused = new Map<SimulatedProcess, number>();
  /** The monotonic time of each process until which the tokens that it received last have to be saved. */
  readonly #savedUntil = new Map<SimulatedProcess, number>();
  readonly #lost = new Set<SimulatedProcess>();
  /** The sessions that began before a process signed out, and when it had. */
  readonly #signedOut = new Map<SimulatedProcess, { readonly at: number; readonly families: ReadonlySet<number> }>();
  /** The sessions whose sign-in has ended. */
  readonly #begun = new Set<number>();
  readonly #begunBefore = new Map<Call, ReadonlySet<number>>();

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
  }

  onStart(call: Call): void {
    if (call.kind === "signOut") this.#begunBefore.set(call, new Set(this.#begun));
  }

  onResolved(call: Call, accessToken: string | undefined): void {
    const { kind, process } = call;
    if (isSignIn(call) || kind === "signOut") this.#refused.delete(process);
    if (isSignIn(call) && call.accessToken) this.#onSignedIn(readToken(call.accessToken).family);
    if (kind === "signOut" && this.#isSignedOut()) {
      const families = this.#begunBefore.get(call) ?? new Set();
      this.#signedOut.set(process, { at: this.#world.scheduler.now, families });
    }
    if (kind === "close") {
      const text = () => `${process.name} was closed, and does not say that its tokens were not saved`;
      this.#invariants.require(!this.#refused.has(process), "P2", text);
    }
    if (accessToken !== undefined) this.#checkSignedOut(call, accessToken);
  }

  onRejected({ kind, process }: Call): void {
    if (kind === "close") this.#lost.add(process);
  }

  onTokens(process: SimulatedProcess): void {
    this.#savedUntil.set(process, process.clock.monotonic() + EXCHANGE_DEADLINE);
  }

  onEvent(process: SimulatedProcess, event: SessionEvent): void {
    if (event.type === "save-failed") this.#onRefused(process);
    if (event.type === "save-recovered" || event.type === "rotation-dropped") this.#refused.delete(process);
  }

  /** P2: only a store that fails refuses tokens; text in the session file does not stand in the way. */
  #onRefused(process: SimulatedProcess): void {
    this.#refused.set(process, process.awake);
    const { injected, isOn } = this.#world.faults;
    const isIncomplete = this.#world.documents?.sessions.wasIncomplete === true; // which is waited for
    const hasFailed = !isOn || isIncomplete || STORE_FAULTS.some((fault) => injected[fault] !== undefined); // a script breaks it by itself
    const text = () => `${process.name} could not save its tokens, although the store works`;
    this.#invariants.require(hasFailed, "P2", text);
  }

  /** Whether a sign-out is stored. It may have found no session, because the directory had vanished. */
  #isSignedOut(): boolean {
    try {
      return tryParseRecord(this.#world.truth() ?? "")?.dead?.reason === "signed_out";
    } catch {
      return false;
    }
  }

  #onSignedIn(family: number): void {
    this.#begun.add(family);
  }

  /** P3 (I18): after a resolved sign-out, no token of a session that began before it is returned in that process. */
  #checkSignedOut({ process, startedAt }: Call, accessToken: string): void {
    const signedOut = this.#signedOut.get(process);
    if (!signedOut || startedAt <= signedOut.at) return;
    const token = readToken(accessToken);
    const text = () => `${process.name} signed out, and received ${shortAccess(token)}`;
    // A session that another program has restored is a new one, even if it cannot be stored.
    const { records } = this.#invariants;
    const isBrought = this.#world.documents?.sessions.hasBrought(accessToken) === true;
    const isExempt = records.hasForeignWrite || records.wasRestored(token.family) || isBrought;
    this.#invariants.require(isExempt || !signedOut.families.has(token.family), "P3", text);
  }

  /** P12 (I20): tokens that the store refuses keep their process alive until one deadline after their receipt. */
  checkAlive(process: SimulatedProcess): void {
    if (!process.isRunning || !this.#refused.has(process) || this.#lost.has(process)) return;
    const left = (this.#savedUntil.get(process) ?? 0) - process.clock.monotonic();
    const text = () => `nothing keeps ${process.name} alive, although its tokens are not saved`;
    this.#invariants.require(left < TOLERANCE || process.isKeptAlive, "P12", text);
  }

  /** Whether the process may be kept alive by tokens that it received not long ago, and that are not saved yet. */
  mayBeSaving(process: SimulatedProcess): boolean {
    const [savedUntil, refusedAt] = [this.#savedUntil.get(process), this.#refused.get(process)];
    const sinceContinued = this.#world.scheduler.now - process.continuedAt; // a late tick is followed by a punctual one
    if (savedUntil === undefined) return false;
    if (Math.min(process.clock.monotonic() - savedUntil, sinceContinued - EXTRA_TIME) <= TOLERANCE) return true;
    return refusedAt !== undefined && process.awake - refusedAt <= EXCHANGE_DEADLINE + TOLERANCE;
  }

  /** Whether the process closed its manager, and was told that its tokens were not saved. */
  hasLost(process: SimulatedProcess): boolean {
    return this.#lost.has(process);
  }
}
