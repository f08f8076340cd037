import { type StoredValue, StoreError } from "@unexpired/core";
import { type FileSystem, type Stamp, sameContent } from "./filesystem.ts";
import { adoptedVersion, Chain, digestOf, type Generation, type Parent, versionOf } from "./generations.ts";
import type { Place } from "./paths.ts";
import { unlessAbsent } from "./problems.ts";
import { isTorn, judge, type Reconcile } from "./projection.ts";

/** What a look at the disk found, and the stamps that tell whether it still holds. */
export interface Sight extends Parent {
  readonly place: Place;
  readonly stored: StoredValue | undefined;
  /** Stamp of the session file. */
  readonly file: Stamp | undefined;
  /** Whether the session file has to be written again. */
  readonly stale: boolean;
  /** Whether that is because it holds a piece of a truth only. */
  readonly torn: boolean;
}

interface Text {
  readonly text: string;
  readonly stamp: Stamp;
}

const MAX_LOOKS = 50;

const nothing = (place: Place, file: Stamp | undefined): Sight => ({
  place,
  head: undefined,
  file,
  stored: undefined,
  foreign: undefined,
  stale: false,
  torn: false,
});

/** Looks at the chain and at the session file, and says what is stored. */
export class Observer {
  readonly #fs: FileSystem;
  readonly #reconcile: Reconcile;

  constructor(fs: FileSystem, reconcile: Reconcile) {
    this.#fs = fs;
    this.#reconcile = reconcile;
  }

  /** Reads everything. */
  async look(place: Place): Promise<Sight> {
    for (let attempt = 0; attempt < MAX_LOOKS; attempt++) {
      const head = await new Chain(this.#fs, place.chain).head();
      const file = await unlessAbsent(this.#fs.read(place.file));
      const sight = head ? await this.#compare(place, head, file) : await this.#adopt(place, file);
      const isPlain = !sight.stale && sight.foreign === undefined;
      // The two were read one after the other: a difference may only mean that somebody saved in between.
      if (isPlain || (await this.holds(sight))) return sight;
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      place: place.file,
      problem: "changes faster than it can be read",
      advice: "Try again.",
    });
  }

  /** Whether nothing changed since: three `stat` calls. */
  async holds({ place, head, file }: Sight): Promise<boolean> {
    const chain = new Chain(this.#fs, place.chain);
    const [next, current, now] = await Promise.all([
      this.#fs.stat(chain.path((head?.number ?? 0) + 1)),
      head && this.#fs.stat(chain.path(head.number)),
      this.#fs.stat(place.file),
    ]);
    return !next && sameContent(current, head?.stamp) && sameContent(now, file);
  }

  async #compare(place: Place, head: Generation, found: Text | undefined): Promise<Sight> {
    const judgement = judge(head, found?.text, this.#reconcile);
    const version = versionOf(head);
    const sight = { ...nothing(place, found?.stamp), head, stored: { value: head.value, version } };
    if (judgement.kind === "foreign" && found) {
      // Taken as it is, so nobody's session: perhaps a piece of what was true before.
      const before = judgement.value === found.text ? await new Chain(this.#fs, place.chain).before(head) : [];
      if (before.some((value) => isTorn(value, found.text))) return { ...sight, stale: true, torn: true };
      const foreign = digestOf(found.text);
      return { ...sight, stored: { value: judgement.value, version: `${version}-${foreign}` }, foreign };
    }
    return { ...sight, stale: judgement.kind !== "current", torn: judgement.kind === "torn" };
  }

  /** Without a chain the session file is a session of an earlier version or of another program. */
  async #adopt(place: Place, found: Text | undefined): Promise<Sight> {
    const empty = nothing(place, found?.stamp);
    // Empty is what a mounted file starts as. While a removal is under way the file is only what is left to remove.
    if (!found?.text || (await this.#fs.stat(place.removed))) return empty;
    const foreign = digestOf(found.text);
    return { ...empty, stored: { value: found.text, version: adoptedVersion(foreign) }, foreign };
  }
}
