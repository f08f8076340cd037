import type { SignInClaim } from "../../packages/core/src/record/record.ts";
import type { Call } from "./calls.ts";
import type { Invariants } from "./invariants.ts";
import type { World } from "./world.ts";

/** How late a process may notice that a claim is old, in milliseconds. */
const LATE = 60_000;

/** The faults after which a process that looks cannot tell how long it has waited. */
const SLOW = ["slow load", "slow disk", "load never ends", "holder check fails"];

/** P15: a claim keeps no call waiting for longer than it is valid. */
export class PromptWaits {
  readonly #world: World;
  readonly #invariants: Invariants;
  /** The claim that was stored when a call last looked different, and how long its process had been awake then. */
  readonly #since = new Map<Call, { readonly id: string | undefined; readonly awake: number }>();

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
  }

  /** Checks a call that waits, while this claim is stored. */
  check(call: Call, claim: SignInClaim | undefined): void {
    const { awake, name, state } = call.process;
    const since = this.#since.get(call);
    if (since?.id !== claim?.id || !since) this.#since.set(call, { id: claim?.id, awake });
    else if (claim && state !== "dead" && claim.failure === undefined) {
      const waited = awake - since.awake;
      const isUnsure = this.#world.isSkewed && SLOW.some((fault) => this.#world.faults.injected[fault] !== undefined);
      const text = () => `${name} has waited for one sign-in for ${Math.round(waited)} ms`;
      this.#invariants.require(isUnsure || waited < claim.lease + LATE, "P15", text);
    }
  }

  onSettled(call: Call): void {
    this.#since.delete(call);
  }
}
