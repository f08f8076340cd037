import { dirname } from "node:path";
import { type Stamp, sameContent } from "../../packages/store-node/src/filesystem.ts";
import type { DocumentWorld } from "./document-world.ts";
import { othersLines, writesIn } from "./documents.ts";
import type { FileCall } from "./file-world.ts";
import type { World } from "./world.ts";

/** The faults after which a lock may be stale while its holder goes on. */
const LATE = ["slow disk", "suspend", "machine sleeps", "suspended before publishing", "suspended after publishing"];

/** The calls that begin to write a document. */
const BEGINNING = /^create .*\/projection-|^(create|read) .*\.next$/;

/** The document at one moment. */
interface Version {
  readonly text: string | undefined;
  readonly stamp: Stamp | undefined;
}

/** P7: the invariants about what our processes leave of another program's document. */
export class DocumentInvariants {
  readonly #store: DocumentWorld;
  readonly #world: World;
  /** Every text that the document has had. */
  readonly #texts = new Set<string>();
  /** The texts that our processes wrote. */
  readonly #ours = new Set<string>();
  /** The IDs of the files that the document has been. */
  readonly #fileIds = new Set<string>();
  /** The document as each process saw it at the last look before it replaces it. */
  readonly #lastLooks = new Map<string, Stamp | undefined>();
  /** The same at its latest look of any kind. */
  readonly #latestLooks = new Map<string, Stamp | undefined>();
  readonly #lookedAt = new Map<string, number>();
  readonly #readAt = new Map<string, number>();
  /** A file that the other program wrote into while a process replaced it: the process has to put it back. */
  #owed: { readonly process: string; readonly fileId: string } | undefined;
  /** The text that a process is overwriting in place. */
  #overwritten: string | undefined;
  /** How often each process has truncated the document, and not written it yet. */
  readonly #truncated = new Map<string, number>();

  constructor(store: DocumentWorld, world: World) {
    this.#store = store;
    this.#world = world;
  }

  /** Before a call of one of our processes. */
  before({ name, path, process }: FileCall): void {
    const { disk, paths } = this.#store;
    if (BEGINNING.test(`${name} ${path}`)) this.#lastLooks.delete(process.name);
    const isOwed = this.#owed?.process === process.name && disk.stat(path)?.fileId === this.#owed.fileId;
    const notPutBack = () =>
      `${process.name} did not put back what the other program wrote while it replaced the document`;
    const isBusy = this.#world.faults.injected["document busy"] !== undefined;
    const mayPutBack = this.#ours.has(disk.textOf(paths.file) ?? "") && !isBusy; // or has the other program written since?
    this.#require(!(name === "unlink" && isOwed && mayPutBack), notPutBack);
    if (name !== "overwrite" || path !== paths.file || !disk.textOf(path)) return;
    if (this.#truncated.get(process.name)) return; // the second step, after another program has written
    // Once a lock has become stale, another call may write, too, and discard the copies.
    const mayBeStale = LATE.some((fault) => this.#world.faults.injected[fault] !== undefined);
    const writers = disk.list(paths.chain).filter((each) => each.startsWith("projection-")).length;
    if (mayBeStale || writers > 1 || !this.#store.isLocked(dirname(paths.chain), process)) return;
    const isCopied = ["before", "next"].every(
      (copy) => disk.textOf(`${dirname(paths.chain)}/settings.json.${copy}`) !== undefined,
    );
    this.#require(isCopied, () => `${process.name} overwrites the document without copies`);
  }

  /** After a call of one of our processes. */
  after(call: FileCall, before: Version): void {
    const { name, path, process } = call;
    const { paths, text } = this.#store;
    const isLook = name === "stat" && path === paths.file;
    if (name === "read" && path === paths.file) this.#readAt.set(process.name, this.#world.scheduler.now);
    if (isLook) this.#onLook(process.name, before.stamp);
    if (name === "overwrite") this.#countSteps(process.name, text === "" ? 1 : -1);
    if (text === before.text) return;
    this.#onChanged(call, before);
    this.#remember(text);
  }

  #onLook(process: string, stamp: Stamp | undefined): void {
    this.#latestLooks.set(process, stamp);
    this.#lookedAt.set(process, this.#world.scheduler.now);
    if (!this.#lastLooks.has(process)) this.#lastLooks.set(process, stamp);
  }

  #countSteps(process: string, change: number): void {
    this.#truncated.set(process, Math.max(0, (this.#truncated.get(process) ?? 0) + change));
  }

  #onChanged(call: FileCall, before: Version): void {
    const { text, disk, paths } = this.#store;
    const isPutBack = call.name === "rename" && this.#fileIds.has(disk.stat(paths.file)?.fileId ?? "");
    const isOverwriting = call.name === "overwrite";
    if (isPutBack) this.#onPutBack(call.process.name, before);
    else if (isOverwriting && text === "") this.#overwritten = before.text;
    else if (isOverwriting && before.text === "") this.#onWritten(call, { ...before, text: this.#overwritten });
    // otherwise, another program has written between the two steps of writing in place
    else this.#onWritten({ ...call, isSlow: call.isSlow === true || isOverwriting }, before);
  }

  /** When a process has last looked at the document. */
  lookedAt(process: string): number | undefined {
    return this.#lookedAt.get(process);
  }

  /** When a process has last read the document. */
  readAt(process: string): number | undefined {
    return this.#readAt.get(process);
  }

  /** After a change that the other program made. */
  onForeign(before: string | undefined): void {
    this.#remember(this.#store.text);
    if (this.#store.text !== before) this.#store.sessions.onForeign();
  }

  onPowerFailure(before: string | undefined): void {
    const { text } = this.#store;
    const wasThere = text === undefined || this.#texts.has(text);
    this.#require(wasThere, () => `the power failure left a document that nobody wrote: ${text}`);
    this.#owed = undefined;
    this.#lastLooks.clear();
    this.#store.sessions.onPowerFailure(before !== text && !this.#ours.has(before ?? ""));
  }

  onDetached(): void {
    this.#owed = undefined;
  }

  /** Nothing but the session has changed, unless the other program wrote between the last look and the change. */
  #onWritten({ name, process, isSlow = false }: FileCall, before: Version): void {
    const { text, sessions, isTorn } = this.#store;
    const lastLook = this.#lastLooks.get(process.name);
    const isRace = this.#lastLooks.has(process.name) && !sameContent(lastLook, before.stamp);
    const isKept = othersLines(before.text) === othersLines(text);
    const lost = () => `${process.name} changed what the other program had written: ${before.text} became ${text}`;
    this.#require(isKept || isRace || isSlow, lost);
    this.#require(!isTorn, () => `${process.name} left a torn document: ${text}`);
    if (!isKept && name === "rename" && this.#isStillLinked(before))
      this.#owed = { process: process.name, fileId: before.stamp?.fileId ?? "" };
    if (!isRace) sessions.check(process, before.text);
    this.#ours.add(text ?? "");
    sessions.onWritten();
  }

  #isStillLinked({ stamp }: Version): boolean {
    const { disk, paths } = this.#store;
    return disk.list(paths.chain).some((name) => disk.stat(`${paths.chain}/${name}`)?.fileId === stamp?.fileId);
  }

  /** A process puts back the other program's file only over a text of its own. */
  #onPutBack(process: string, before: Version): void {
    if (this.#owed?.process === process) this.#owed = undefined;
    const numbers = () => `${writesIn(this.#store.text)} of the other program over ${writesIn(before.text)}`;
    const isRace = !sameContent(this.#latestLooks.get(process), before.stamp);
    this.#require(isRace || this.#ours.has(before.text ?? ""), () => `${process} put back write ${numbers()}`);
    this.onForeign(before.text);
  }

  #remember(text: string | undefined): void {
    if (text !== undefined) this.#texts.add(text);
    const { fileId } = this.#store.disk.stat(this.#store.paths.file) ?? {};
    if (fileId !== undefined) this.#fileIds.add(fileId);
  }

  #require(holds: boolean, text: () => string): void {
    this.#world.invariants.require(holds, "P7", text);
  }
}
