/** A state of a document that may pass, because another program is about to write: torn, emptied, blank. */
interface Look {
  readonly kind: string;
  /** The version of the session at that look. */
  readonly version: string | undefined;
  /** See `EntrySnapshot`. */
  readonly textId: string | undefined;
}

/** The last look, and since when looks have found the same document, or the same state of changing ones. */
interface LastLook extends Look {
  readonly at: number;
  readonly sameSince: number;
  readonly since: number;
}

/**
 * How far looks may be apart, in milliseconds: if they are further, the machine may have been asleep, and the other program
 * with it.
 */
const MAX_GAP = 2_000;
/** How much longer the state has to last, in milliseconds, if the document has changed in between. */
const EXTRA_TIME = 2_000;

/** Measures for how long a document has been in a state that may pass. */
export class PassingState {
  readonly #now: () => number;
  #last: LastLook | undefined;

  /** `now` is a monotonic time in milliseconds: a clock that jumps is no sign-out. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Records a look. Returns for how many milliseconds the state has lasted. A document that changes in between, because
   * its program rewrites it, may have been in another state for a moment, so that it counts for less.
   */
  elapsed(look: Look): number {
    const [at, last] = [this.#now(), this.#last];
    const isRecent = last !== undefined && at - last.at <= MAX_GAP;
    const isState = isRecent && last.kind === look.kind && last.version === look.version;
    const since = isState ? last.since : at;
    const sameSince = isState && last.textId === look.textId ? last.sameSince : at;
    this.#last = { ...look, at, sameSince, since };
    return Math.max(at - sameSince, at - since - EXTRA_TIME);
  }

  /** Records that the state has passed. */
  end(): void {
    this.#last = undefined;
  }
}
