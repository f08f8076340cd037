import { type Stamp, sameContent } from "../filesystem.ts";

/** A state of a document that may pass, because another program is about to write: torn, emptied, blank. */
interface Look {
  readonly kind: string;
  /** The version of the session at that look. */
  readonly version: string | undefined;
  readonly stamp: Stamp | undefined;
}

/** How far two looks at a missing document may be apart, in milliseconds: it has no stamp that tells of changes. */
const MAX_GAP = 2_000;

/** Measures for how long a document has been in a state that may pass. Any change starts it anew. */
export class PassingState {
  readonly #now: () => number;
  #last: (Look & { readonly since: number; readonly at: number }) | undefined;

  /** `now` is a monotonic time in milliseconds: a clock that jumps is no sign-out. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Records a look. Returns for how many milliseconds the looks have found the same. */
  elapsed(look: Look): number {
    const [at, last] = [this.#now(), this.#last];
    const isSame = last?.kind === look.kind && last.version === look.version && sameContent(last.stamp, look.stamp);
    const since = isSame && (look.stamp || at - last.at <= MAX_GAP) ? last.since : at;
    this.#last = { ...look, since, at };
    return at - since;
  }

  /** Records that the state has passed. */
  end(): void {
    this.#last = undefined;
  }
}
