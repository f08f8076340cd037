import { isDeepStrictEqual } from "node:util";
import type { Invariants } from "./invariants.ts";
import { LATER, OBJECTS, parseRaw, type RawRecord } from "./later-release.ts";
import type { World } from "./world.ts";

/** The identity of an object of a record. As long as it stays, the members that a later release added stay, too. */
const IDENTITIES: Readonly<Record<(typeof OBJECTS)[number], (record: RawRecord) => unknown>> = {
  tokens: ({ tokens, obtainedAt }) => [tokens?.accessToken, tokens?.refreshToken, obtainedAt],
  attempt: ({ attempt }) => [attempt?.id, attempt?.holder, attempt?.claimedAt],
  signIn: ({ signIn }) => signIn?.id,
  dead: ({ dead, rotation }) => [dead?.reason, dead?.digest, rotation], // each verdict raises the number
};

/** The invariants of a record that an earlier and a later release share. */
export class ReleaseInvariants {
  readonly #world: World;
  readonly #invariants: Invariants;

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
  }

  /** P7: the earlier release keeps what it does not know, and does not change what it may not. */
  check(before: string | undefined, after: string | undefined, author: string): void {
    const process = this.#world.find(author);
    if (!this.#world.options.hasLaterRelease || before === undefined || after === undefined) return;
    if (!process || this.#world.isLater(process)) return;
    const [old, next] = [parseRaw(before), parseRaw(after)];
    const text = () => `${author} changed a record that requires a later release`;
    this.#invariants.require(old.requires === undefined, "P7", text);
    if (this.#isForeign) return;
    this.#checkKept("the record", [old[LATER], next[LATER]], author);
    for (const object of OBJECTS) {
      const isSame = isDeepStrictEqual(IDENTITIES[object](old), IDENTITIES[object](next));
      if (isSame) this.#checkKept(`\`${object}\``, [old[object]?.[LATER], next[object]?.[LATER]], author);
    }
  }

  /** Whether a process may adopt what another program has put into the session file, with the members of that. */
  get #isForeign(): boolean {
    const { options, faults } = this.#world;
    if (this.#invariants.records.hasAdopted) return true;
    return options.kind === "file" && faults.injected["old session restored by another program"] !== undefined;
  }

  #checkKept(object: string, [old, next]: readonly [unknown, unknown], author: string): void {
    const text = () => `${author} lost what a later release had added to ${object}: ${old}`;
    const isRestored = next !== undefined && this.#world.faults.injected.failover !== undefined; // what is newer
    this.#invariants.require(old === undefined || old === next || isRestored, "P7", text);
  }
}
