import {
  currentDigest,
  isAnotherSession,
  type SessionRecord,
  tryParseRecord,
} from "../../packages/core/src/record/record.ts";
import type { FileSystem } from "../../packages/store-node/src/filesystem.ts";
import { markOf } from "../../packages/store-node/src/known-files.ts";
import type { FileWorld } from "./file-world.ts";
import type { Invariants } from "./invariants.ts";

/** P14: what another program puts into the session file is not overwritten, unless a process was about to do so. */
export class SwitchInvariants {
  readonly #store: FileWorld;
  readonly #invariants: () => Invariants;
  /** The text that the other program put there, until it is stored or overwritten. */
  #text: string | undefined;
  /** The names in the chain's directory at that time. */
  #before: readonly string[] = [];

  constructor(store: FileWorld, invariants: () => Invariants) {
    this.#store = store;
    this.#invariants = invariants;
  }

  onSwitch(text: string): void {
    this.#text = this.#isAlternative(text) ? text : undefined;
    this.#before = this.#names;
  }

  /** After each step. */
  onStored(value: string): void {
    if (this.#text === undefined) return;
    if (tryParseRecord(this.#text)?.session === tryParseRecord(value)?.session) this.#text = undefined;
  }

  /** Before a call of a process. */
  before(call: keyof FileSystem, path: string, author: string): void {
    const { disk, paths } = this.#store;
    if (path !== paths.file || call !== (disk.mounted === undefined ? "rename" : "overwrite")) return;
    const text = this.#text;
    this.#text = undefined;
    if (text === undefined || disk.textOf(paths.file) !== text) return;
    // A file that was staged before may replace it: it can appear after the last look at the session file.
    const isRace = this.#names.some((name) => /^projection-|\.held-/.test(name) && this.#before.includes(name));
    const isReverted = !isRace && !this.#isOurs(text) && !this.#store.replaces(text) && this.#isAlternative(text);
    const message = () => `${author} overwrote a session that another program had put in place: ${text}`;
    this.#invariants().require(!isReverted, "P14", message);
  }

  get #names(): readonly string[] {
    const { disk, paths } = this.#store;
    return disk.stat(paths.chain) ? disk.list(paths.chain) : [];
  }

  /** Whether the store takes the file for one that it has written itself. */
  #isOurs(text: string): boolean {
    const { disk, paths } = this.#store;
    const { fileId = "" } = disk.stat(paths.file) ?? {};
    const mark = markOf({ fileId, modified: 0n, size: 0n }, text);
    return this.#names.some((name) => name.startsWith(`known-${mark}`));
  }

  /** Whether a text holds another session than the stored one, with a refresh token that is not spent. */
  #isAlternative(text: string): boolean {
    const [record, current] = [tryParseRecord(text), this.#current];
    const digest = currentDigest(record);
    if (!record || !current || digest === undefined) return false;
    return isAnotherSession(record, current) && !current.spent.includes(digest);
  }

  get #current(): SessionRecord | undefined {
    return tryParseRecord(this.#store.truth() ?? "");
  }
}
