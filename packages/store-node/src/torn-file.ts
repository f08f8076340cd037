import { performance } from "node:perf_hooks";
import { type Stamp, sameContent } from "./filesystem.ts";

const SETTLED_AFTER = 1_000; // ms

/** Tells for how long the session file has been torn: another program may be overwriting it in place. */
export class TornFile {
  readonly #now: () => number;
  #found: { readonly stamp: Stamp | undefined; readonly at: number } | undefined;

  /** `now` is a monotonic clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Returns whether a file was found torn only a moment ago. */
  isRecent(isTorn: boolean, stamp: Stamp | undefined): boolean {
    const isKnown = this.#found !== undefined && sameContent(this.#found.stamp, stamp);
    if (!isTorn) this.#found = undefined;
    else if (!isKnown) this.#found = { stamp, at: this.#now() };
    return this.#found !== undefined && this.#now() - this.#found.at < SETTLED_AFTER;
  }
}
