import type { Random } from "./random.ts";

/** What can happen to a request for tokens. */
export const REQUEST_FAULTS = [
  "not sent",
  "request delayed past everything",
  "request lost",
  "answer lost",
  "no answer",
  "slow answer",
  "answer after the deadline",
  "500",
  "504 before the server",
  "504 after the server",
  "429",
  "invalid_grant",
  "invalid_client",
  "HTML",
  "no refresh_token",
  "no expires_in",
  "suspended before it is sent",
  "machine sleeps before it is sent",
] as const;
export type RequestFault = (typeof REQUEST_FAULTS)[number];

/** What can happen to a store's load. */
export const LOAD_FAULTS = ["unreadable", "slow load"] as const;

/** What can happen to a store's save. */
export const SAVE_FAULTS = [
  "save fails",
  "outcome unknown: saved",
  "outcome unknown: not saved",
  "conflict",
  "slow save",
  "suspended before the answer",
] as const;
export type SaveFault = (typeof SAVE_FAULTS)[number];

/** What can happen to a call of the file system. */
export const FILE_FAULTS = ["disk full", "I/O error", "no permission", "slow disk"] as const;
export type FileFault = (typeof FILE_FAULTS)[number];

/** What can happen to the publication of a file. */
export const LINK_FAULTS = ["suspended before it is published", "suspended after it is published"] as const;

/** What can happen when the names in a directory are made durable. */
export const SYNC_FAULTS = ["fails, and soon the power does"] as const;

/** What can happen to whether another process is gone. */
export const HOLDER_FAULTS = ["nobody can tell who is gone"] as const;

/** What can happen between any two steps. */
const STEP_FAULTS = [
  "crash",
  "suspend",
  "clock jump",
  "foreign write of the old session",
  "session file torn",
  "session file missing",
  "power cut",
  "directory vanishes",
  "machine sleeps",
] as const;
type StepFaultKind = (typeof STEP_FAULTS)[number];

/** A fault between two steps: whom it hits, and how hard. */
export interface StepFault {
  readonly fault: StepFaultKind;
  readonly who: number;
  readonly size: number;
}

const SIZES = 6;
const WHO = 4;

/** Draws faults, at a rate and of kinds that differ from run to run, and counts what it draws. */
export class Faults {
  /** Whether there are any: not while a world is set up, and not in its last phase. */
  isOn = false;
  readonly injected: Record<string, number> = {};
  readonly #random: Random;
  readonly #rate: number;
  readonly #stepRate: number;
  readonly #muted = new Set<string>();
  #planned: RequestFault | SaveFault | FileFault | undefined;

  constructor(random: Random) {
    this.#random = random;
    // Drawn from the seed alone: what was drawn is replayed, not how it came about.
    const level = Math.abs(random.seed * 7 + 3) % 5;
    this.#rate = [0, 0.02, 0.06, 0.15, 0.3][level] ?? 0;
    this.#stepRate = [0, 0.004, 0.01, 0.02, 0.01][level] ?? 0;
    const calls = [...REQUEST_FAULTS, ...LOAD_FAULTS, ...SAVE_FAULTS, ...FILE_FAULTS, ...LINK_FAULTS, ...SYNC_FAULTS];
    const all = [...calls, ...STEP_FAULTS, ...HOLDER_FAULTS];
    let bits = Math.imul(random.seed + 17, 0x9e3779b1);
    for (const fault of all) {
      bits = Math.imul(bits ^ (bits >>> 13), 0x85ebca6b);
      if ((bits >>> 28) % 3 === 0) this.#muted.add(fault);
    }
  }

  /** The next call that this can happen to has it, whatever the random choices say. */
  plan(fault: RequestFault | SaveFault | FileFault): void {
    this.#planned = fault;
  }

  /** The fault of one call, if any. */
  draw<T extends string>(kinds: readonly T[], boost = 1): T | undefined {
    const planned = kinds.find((kind) => kind === this.#planned);
    if (planned !== undefined) {
      this.#planned = undefined;
      this.injected[planned] = 1;
      return planned;
    }
    if (!this.isOn) return undefined;
    const drawn = this.#random.rarely("fault", kinds.length + 1, this.#rate * boost);
    return this.#count(kinds[drawn - 1]);
  }

  /** The fault before a step, if any. */
  drawStepFault(boost: number): StepFault | undefined {
    if (!this.isOn) return undefined;
    const drawn = this.#random.rarely("fault", 1 + STEP_FAULTS.length * WHO * SIZES, this.#stepRate * boost) - 1;
    const fault = drawn < 0 ? undefined : this.#count(STEP_FAULTS[Math.floor(drawn / (WHO * SIZES))]);
    return fault && { fault, who: Math.floor(drawn / SIZES) % WHO, size: drawn % SIZES };
  }

  #count<T extends string>(fault: T | undefined): T | undefined {
    if (fault === undefined || this.#muted.has(fault)) return undefined;
    this.injected[fault] = (this.injected[fault] ?? 0) + 1;
    return fault;
  }
}
