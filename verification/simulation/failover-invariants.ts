import type { StoredValue } from "@unexpired/core";
import { parseRecord, type SessionRecord } from "../../packages/core/src/record/record.ts";
import { SETTLE_TIME } from "./constants.ts";
import type { HandOver } from "./exchange-invariants.ts";
import { LOAD_FAULTS, SAVE_FAULTS } from "./faults.ts";
import type { Invariants } from "./invariants.ts";
import { withoutRequirement } from "./later-release.ts";
import type { SimulatedProcess } from "./process.ts";
import { claimKey, tokenIn } from "./record-tokens.ts";
import type { Token } from "./tokens.ts";
import type { World } from "./world.ts";

/** How long a process takes at most after its reconnect to restore what it knows, in milliseconds, without faults. */
const RESTORING = 700;

/** The faults after which no process can be expected to restore anything in time. */
const EXCUSES = [
  ...LOAD_FAULTS,
  ...SAVE_FAULTS,
  "store out of order at the response",
  "later release requires an update",
];

/** A write that a failover has undone. */
interface LostWrite {
  readonly record: SessionRecord;
  /** When it was lost, in virtual milliseconds. */
  readonly at: number;
  /** The processes that know it, some of them from a response that was under way when it was lost. */
  readonly knownBy: ReadonlySet<SimulatedProcess>;
}

interface Presented {
  readonly process: SimulatedProcess;
  readonly digest: string;
  /** Identifies the claim. */
  readonly key: string;
  /** An earlier presentation of the same token that may have had an effect. */
  readonly open: HandOver | undefined;
  readonly what: string;
}

/** The presentation of a token whose successor, or whose earlier claim, was lost. */
interface Replay {
  readonly write: LostWrite;
  readonly process: SimulatedProcess;
  /** When the process claimed it, in virtual milliseconds. */
  readonly claimedAt: number;
}

/** The invariants about what failovers of the store undo. */
export class FailoverInvariants {
  /** How often a refresh token was presented whose successor, or whose earlier claim, had been lost. */
  replays = 0;
  /** Whether a failover has ever left the store empty. */
  hasEmptied = false;
  readonly #world: World;
  readonly #invariants: Invariants;
  readonly #lost: LostWrite[] = [];
  #failovers = 0;
  /** The digests of the refresh tokens that were presented although their successors had been lost. */
  readonly #replayed = new Set<string>();
  readonly #knownBy = new Map<string, Set<SimulatedProcess>>();
  /** When each process has had time to restore what it knows since its last reconnect. */
  readonly #restoredAt = new Map<SimulatedProcess, number>();

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
  }

  /** A process has loaded or saved a version. */
  onKnown(process: SimulatedProcess, version: string | undefined): void {
    if (version !== undefined) this.#processesWith(version).add(process);
  }

  #processesWith(version: string): Set<SimulatedProcess> {
    const processes = this.#knownBy.get(version) ?? new Set();
    this.#knownBy.set(version, processes);
    return processes;
  }

  onFailover(lost: readonly (StoredValue | undefined)[]): void {
    if (this.#world.store.truth() === undefined) {
      this.hasEmptied = true;
      this.#invariants.records.ended.clear();
    }
    this.#failovers++;
    this.#invariants.callers.verdicts.onFailover();
    this.#restoredAt.clear();
    for (const write of lost) if (write) this.#onLost(write);
  }

  #onLost({ value, version }: StoredValue): void {
    const record = parseRecord(withoutRequirement(value), "a lost write");
    this.#lost.push({ record, at: this.#world.scheduler.now, knownBy: this.#processesWith(version) });
  }

  onReconnected(process: SimulatedProcess): void {
    const failovers = this.#failovers;
    const check = (): void => {
      if (failovers !== this.#failovers) return;
      const left = RESTORING - (this.#world.scheduler.now - process.continuedAt);
      if (left > 0) process.later("looks", check, left);
      else this.#restoredAt.set(process, this.#world.scheduler.now);
    };
    process.later("looks", check, RESTORING);
  }

  /**
   * P1: a token whose successor, or whose claim, was lost is presented only if no living process that knew of it had time to
   * restore it. Returns whether the token is such a token.
   */
  checkPresented({ process, digest, key, open, what }: Presented): boolean {
    const isOf = ({ record: { spent, attempt } }: LostWrite) =>
      spent.includes(digest) || (open !== undefined && attempt !== undefined && claimKey(attempt) === open.claimKey);
    const lost = this.#lost.filter(isOf);
    if (lost.length === 0) return false;
    this.replays++;
    this.#replayed.add(digest);
    if (this.hasEmptied) return true; // no record has told what was used up
    const claimedAt = this.#invariants.records.claims.get(key)?.at ?? this.#world.scheduler.now;
    const isPrevented = (write: LostWrite) =>
      write.knownBy.has(process) ||
      [...write.knownBy].some((each) => this.#prevents(each, { write, process, claimedAt }));
    const text = () => `${what} after a failover, although a process knows what that has undone`;
    this.#invariants.require(!lost.some(isPrevented), "P1", text);
    return true;
  }

  /** Whether a process has restored what it knows, or will before another one has settled. */
  #prevents(knower: SimulatedProcess, { write, process, claimedAt }: Replay): boolean {
    if (this.isExcused) return false;
    const { reconnectsWithin = 0 } = this.#world.options;
    const settles = process.bornAt < write.at && reconnectsWithin + RESTORING <= SETTLE_TIME;
    const isInTime = settles && this.#isListening(knower) && knower.continuedAt <= write.at;
    return isInTime || this.#hasRestored(knower, claimedAt);
  }

  #isListening(process: SimulatedProcess): boolean {
    return process.state === "running" && this.#world.cluster?.isWatching(process) === true;
  }

  #hasRestored(process: SimulatedProcess, time: number): boolean {
    const at = this.#restoredAt.get(process) ?? Number.POSITIVE_INFINITY;
    return at <= time && this.#isListening(process);
  }

  /** Whether a process stores a record again that it knew when a failover undid it. */
  restores(name: string, { session, rotation, dead }: SessionRecord): boolean {
    const isOf = ({ record }: LostWrite) =>
      record.session === session && record.rotation === rotation && record.dead?.reason === dead?.reason;
    return this.#lost.some((lost) => isOf(lost) && [...lost.knownBy].some((each) => each.name === name));
  }

  /** Whether a token was lost that no process was left to restore, or not before its predecessor was presented again. */
  hasForgotten({ family, number }: Token): boolean {
    const isOf = (token: Token | undefined) => token?.family === family && token.number >= number;
    const isReplayed = [...this.#replayed].some((digest) => this.#invariants.book.find(digest)?.family === family);
    const { now } = this.#world.scheduler;
    const isForgotten = ({ record, knownBy }: LostWrite) =>
      isOf(tokenIn(record)) && (this.isExcused || ![...knownBy].some((each) => this.#hasRestored(each, now)));
    return isReplayed || this.#lost.some(isForgotten);
  }

  get isExcused(): boolean {
    return EXCUSES.some((fault) => this.#world.faults.injected[fault] !== undefined);
  }
}
