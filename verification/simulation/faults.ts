import type { Random } from "./random.ts";

/** The faults of a token request. */
export const REQUEST_FAULTS = [
  "not sent",
  "request delayed past every deadline",
  "request lost",
  "response lost",
  "no response",
  "slow response",
  "response after the deadline",
  "500",
  "504 before the server",
  "504 after the server",
  "429",
  "invalid_grant",
  "invalid_client",
  "invalid_client after the server",
  "HTML response",
  "HTML response after the server",
  "refusal without a reason",
  "interaction required",
  "already being processed",
  "tokens of another account",
  "no refresh_token",
  "no access_token",
  "no expires_in",
  "suspended before sending",
  "machine asleep before sending",
  "stopped in mid-exchange",
  "store out of order at the response",
] as const;
export type RequestFault = (typeof REQUEST_FAULTS)[number];

/** The faults of a store's load. */
export const LOAD_FAULTS = ["unreadable", "slow load", "load never ends"] as const;

/** The faults of a store's save. */
export const SAVE_FAULTS = [
  "save fails",
  "store goes out of order",
  "outcome unknown: saved",
  "outcome unknown: not saved",
  "conflict",
  "slow save",
  "suspended before the response",
  "save never ends",
] as const;
export type SaveFault = (typeof SAVE_FAULTS)[number];

/** The faults of a file system call. */
export const FILE_FAULTS = ["disk full", "disk stays full", "I/O error", "no permission", "slow disk"] as const;
export type FileFault = (typeof FILE_FAULTS)[number];

/** The faults of publishing a file. */
export const LINK_FAULTS = ["suspended before publishing", "suspended after publishing"] as const;

/** The faults of syncing a directory. */
export const SYNC_FAULTS = ["sync fails shortly before a power failure"] as const;

/** The faults of replacing another program's document. */
export const DOCUMENT_FAULTS = ["document busy"] as const;
export type DocumentFault = (typeof DOCUMENT_FAULTS)[number];

/** The faults of asking whether another process has ended. */
export const HOLDER_FAULTS = ["holder check fails"] as const;

/** The faults between any two steps. */
const STEP_FAULTS = [
  "crash",
  "suspend",
  "clock jump",
  "old session restored by another program",
  "session file torn",
  "session file missing",
  "power failure",
  "directory vanishes",
  "machine sleeps",
  "later release requires an update",
] as const;
type StepFaultKind = (typeof STEP_FAULTS)[number];

const ALL_FAULTS = [
  ...REQUEST_FAULTS,
  ...LOAD_FAULTS,
  ...SAVE_FAULTS,
  ...FILE_FAULTS,
  ...LINK_FAULTS,
  ...SYNC_FAULTS,
  ...STEP_FAULTS,
  ...HOLDER_FAULTS,
  ...DOCUMENT_FAULTS,
] as const;
export type AnyFault = (typeof ALL_FAULTS)[number];

/** A fault between two steps: its target and its severity. */
export interface StepFault {
  readonly fault: StepFaultKind;
  readonly who: number;
  readonly size: number;
}

const SIZES = 6;
const WHO = 4;

/** Draws faults and counts them. Their rate and kinds differ from run to run. */
export class Faults {
  /** Off while a world is set up, and in its last phase. */
  isOn = false;
  readonly injected: Record<string, number> = {};
  readonly #random: Random;
  readonly #rate: number;
  readonly #stepRate: number;
  readonly #muted = new Set<string>();
  readonly #only: readonly string[] | undefined;
  #planned: RequestFault | SaveFault | FileFault | undefined;

  /** With `only`, just these faults occur, and often. */
  constructor(random: Random, only?: readonly AnyFault[]) {
    this.#random = random;
    this.#only = only;
    // Derived from the seed alone: a replay reproduces the faults drawn, not the way they were drawn.
    const level = only ? 3 : Math.abs(random.seed * 7 + 3) % 5;
    this.#rate = [0, 0.02, 0.06, 0.15, 0.3][level] ?? 0;
    this.#stepRate = [0, 0.004, 0.01, 0.02, 0.01][level] ?? 0;
    if (only) return;
    let bits = Math.imul(random.seed + 17, 0x9e3779b1);
    for (const fault of ALL_FAULTS) {
      bits = Math.imul(bits ^ (bits >>> 13), 0x85ebca6b);
      if ((bits >>> 28) % 3 === 0) this.#muted.add(fault);
    }
  }

  /** Injects this fault into the next call that can have it, whatever the random choices are. */
  plan(fault: RequestFault | SaveFault | FileFault): void {
    this.#planned = fault;
  }

  /** Draws the fault of one call, if any. */
  draw<T extends string>(kinds: readonly T[], boost = 1): T | undefined {
    const planned = kinds.find((kind) => kind === this.#planned);
    if (planned !== undefined) {
      this.#planned = undefined;
      this.injected[planned] = 1;
      return planned;
    }
    if (!this.isOn) return undefined;
    const possible = this.#possible(kinds);
    const drawn = this.#random.rarely("fault", possible.length + 1, this.#rate * boost);
    return this.#count(possible[drawn - 1]);
  }

  /** Draws the fault before a step, if any. */
  drawStepFault(boost: number): StepFault | undefined {
    if (!this.isOn) return undefined;
    const possible = this.#possible(STEP_FAULTS);
    const drawn = this.#random.rarely("fault", 1 + possible.length * WHO * SIZES, this.#stepRate * boost) - 1;
    const fault = drawn < 0 ? undefined : this.#count(possible[Math.floor(drawn / (WHO * SIZES))]);
    return fault && { fault, who: Math.floor(drawn / SIZES) % WHO, size: drawn % SIZES };
  }

  #possible<T extends string>(kinds: readonly T[]): readonly T[] {
    return this.#only ? kinds.filter((kind) => this.#only?.includes(kind)) : kinds;
  }

  #count<T extends string>(fault: T | undefined): T | undefined {
    if (fault === undefined || this.#muted.has(fault)) return undefined;
    this.injected[fault] = (this.injected[fault] ?? 0) + 1;
    return fault;
  }
}
