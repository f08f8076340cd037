import { closeSync, openSync } from "node:fs";
import { FAULTS } from "./faults.ts";
import { MARKER, type TrapConfig, tell } from "./messages.ts";

/** A trap that springs once, at one point, and injects its fault in the same tick. */
export class Trap {
  /** The current phase of the process: `look`, `claim`, `exchange`, `commit`, `release` or `verdict`, or one of a sign-in. */
  phase = "look";
  readonly #config: TrapConfig | undefined;
  readonly #sessionPath: string;
  #isSprung = false;

  constructor(config: TrapConfig | undefined, sessionPath: string) {
    this.#config = config;
    this.#sessionPath = sessionPath;
  }

  /** Whether the trap is set at this step, so that the caller can do only half of the step. */
  isSetAt(step: string): boolean {
    return !this.#isSprung && this.#config?.point === `${this.phase}/${step}`;
  }

  at(step: string): void {
    if (!this.#config || !this.isSetAt(step)) return;
    this.#isSprung = true;
    if (this.#config.once !== undefined && !isFirst(this.#config.once)) return;
    const { point, fault: name } = this.#config;
    const fault = FAULTS[name];
    if (!fault) throw new Error(`There is no fault named ${name}.`);
    const endsProcess = name === "kill" || name.startsWith("stop");
    if (endsProcess) tell({ type: MARKER, point });
    fault(this.#sessionPath);
    if (!endsProcess) tell({ type: MARKER, point }); // now the others may begin
  }

  async around<T>(step: string, run: () => Promise<T>): Promise<T> {
    this.at(`before-${step}`);
    const result = await run();
    this.at(`after-${step}`);
    return result;
  }

  async during<T>(phase: string, run: () => Promise<T>): Promise<T> {
    const before = this.phase;
    this.phase = phase;
    try {
      return await run();
    } finally {
      this.phase = before;
    }
  }
}

/** Whether this is the first call for this path in any process. */
function isFirst(path: string): boolean {
  try {
    closeSync(openSync(path, "wx"));
    return true;
  } catch {
    return false;
  }
}
