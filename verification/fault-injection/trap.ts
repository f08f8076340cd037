import { closeSync, openSync } from "node:fs";
import { FAULTS } from "./faults.ts";
import { MARKER, type TrapConfig, tell } from "./messages.ts";

/** Springs once, at one point: does its fault in that very tick. */
export class Trap {
  /** What the process is at: `look`, `claim`, `exchange`, `commit`, `release` or `verdict`. */
  phase = "look";
  readonly #config: TrapConfig | undefined;
  readonly #sessionPath: string;
  #isSprung = false;

  constructor(config: TrapConfig | undefined, sessionPath: string) {
    this.#config = config;
    this.#sessionPath = sessionPath;
  }

  /** Whether this step is the one, so that it can be done by halves. */
  isSetAt(step: string): boolean {
    return !this.#isSprung && this.#config?.point === `${this.phase}/${step}`;
  }

  at(step: string): void {
    if (!this.#config || !this.isSetAt(step)) return;
    this.#isSprung = true;
    if (this.#config.once !== undefined && !isFirst(this.#config.once)) return;
    const { point, fault: name } = this.#config;
    const fault = FAULTS[name];
    if (!fault) throw new Error(`there is no fault ${name}`);
    const isLastWord = name === "kill" || name === "stop";
    if (isLastWord) tell({ type: MARKER, point });
    fault(this.#sessionPath);
    if (!isLastWord) tell({ type: MARKER, point }); // now the others may come
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

/** Whether no process has asked this before. */
function isFirst(path: string): boolean {
  try {
    closeSync(openSync(path, "wx"));
    return true;
  } catch {
    return false;
  }
}
