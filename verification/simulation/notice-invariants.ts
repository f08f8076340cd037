import type { SessionRecord } from "../../packages/core/src/record/record.ts";
import type { Call } from "./calls.ts";
import { MAX_STALENESS } from "./constants.ts";
import { LOAD_FAULTS } from "./faults.ts";
import type { Invariants } from "./invariants.ts";
import type { SimulatedProcess } from "./process.ts";
import { readToken, shortAccess } from "./tokens.ts";
import type { World } from "./world.ts";

/** Longer than two loads without faults take, in milliseconds. */
const LOADS = 1_000;

/** The faults after which a process cannot be expected to notice anything in time. */
const EXCUSES = [
  ...LOAD_FAULTS,
  "slow save",
  "save never ends",
  "store goes out of order",
  "store out of order at the response",
  "machine sleeps",
  "machine asleep before sending",
  "later release requires an update",
];

/** The calls that look at a store without notifications. What a sign-in finds there is not taken over if it fails. */
const LOOKING: readonly Call["kind"][] = ["get", "get, impatient", "replace"];

interface SignOut {
  readonly family: number;
  readonly at: number;
}

/** The invariant about how soon a process learns that another one has signed out. */
export class NoticeInvariants {
  readonly #world: World;
  readonly #invariants: Invariants;
  /** The stored sign-out. */
  #signOut: SignOut | undefined;
  /** When each process had a reason to look at the stored sign-out, by how long it had been awake. */
  readonly #noticed = new Map<SimulatedProcess, { readonly signOut: SignOut; readonly awake: number }>();
  readonly #startedAt = new Map<Call, number>();

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
  }

  onRecord(before: SessionRecord | undefined, current: SessionRecord | undefined): void {
    if (current?.dead?.reason !== "signed_out") this.#signOut = undefined;
    else if (before?.tokens) {
      const { family } = readToken(before.tokens.accessToken);
      this.#signOut = { family, at: this.#world.scheduler.now };
    }
  }

  onNotified(process: SimulatedProcess): void {
    const signOut = this.#signOut;
    if (signOut && this.#noticed.get(process)?.signOut !== signOut)
      this.#noticed.set(process, { signOut, awake: process.awake });
  }

  onStart(call: Call): void {
    this.#startedAt.set(call, call.process.awake);
    const { store, options, scheduler } = this.#world;
    const looksByItself = "current" in store && !options.watches && LOOKING.includes(call.kind);
    // What it learns when it is continued counts as a look, even if it was read before.
    const since = Math.max(this.#signOut?.at ?? 0, call.process.continuedAt);
    if (looksByItself && scheduler.now - since > MAX_STALENESS) this.onNotified(call.process);
  }

  /** P3: after a notification, or a call that looks, no token of the session that was signed out is returned. */
  onResolved(call: Call, accessToken: string | undefined): void {
    const { process } = call;
    const noticed = this.#noticed.get(process);
    const isExcused = EXCUSES.some((fault) => this.#world.faults.injected[fault] !== undefined);
    if (accessToken === undefined || !noticed || noticed.signOut !== this.#signOut || isExcused) return;
    const since = (this.#startedAt.get(call) ?? 0) - noticed.awake;
    const token = readToken(accessToken);
    const text = () =>
      `${process.name} received ${shortAccess(token)} ${since} ms after it could notice that the session was signed out`;
    this.#invariants.require(since < LOADS || token.family !== noticed.signOut.family, "P3", text);
  }
}
