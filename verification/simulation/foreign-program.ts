import { FOREIGN } from "./constants.ts";
import type { DocumentWorld } from "./document-world.ts";
import { type ForeignSession, readDocument } from "./documents.ts";
import { EPOCH } from "./process.ts";
import { readToken, shortAccess } from "./tokens.ts";
import type { World } from "./world.ts";

/** A change of the session: to another one, or to none. */
type Change = (session: ForeignSession | undefined) => ForeignSession | undefined;

/** How a document is written. */
type Manner = "rename" | "in place" | "in pieces" | "in steps";

const THOUGHTS = [0, 1, 5, 40, 300, 2_000, 9_000];
const GAPS = [0, 1, 10, 300, 900];
const LATENCIES = [0, 1, 4, 40, 500];
const STARTS = [0, 0, 1, 3, 10, 50, 900, 4_000, 20_000];
const MAX_COPIES = 8;

/**
 * The program that owns the document, and knows nothing of claims: it reads the document, thinks, and rewrites it with
 * another number. It signs in and out, refreshes with the token that it has read, and restores old copies.
 */
export class ForeignProgram {
  readonly #store: DocumentWorld;
  readonly #world: World;
  /** The texts that it has written, oldest first. */
  #copies: string[] = [];
  #writes = 0;
  /** The session that it has read last, for a document that it cannot read. */
  #memory: ForeignSession | undefined;
  /** Counts its starts: what it was about to do ends when it crashes. */
  #life = 0;

  constructor(store: DocumentWorld, world: World) {
    this.#store = store;
    this.#world = world;
  }

  /** Creates the document, in most worlds, and in some of them signs in. */
  begin(): void {
    const { random, options } = this.#world;
    const { disk, paths, kind } = this.#store;
    const first = random.pick("document", ["no session", "a session", "no document"] as const);
    if (first === "no document" && !options.mounts) return;
    disk.makeDirectory(paths.parent);
    const session = first === "a session" ? this.#mint("A") : undefined;
    const text = kind.write(session, ++this.#writes);
    this.#copies.push(text);
    const write = disk.mounted === undefined ? disk.replace : disk.overwrite;
    this.#put(() => write.call(disk, paths.file, text), "first");
    for (const directory of ["/home", paths.parent]) disk.sync(directory);
  }

  /** Lets it act a few times from the virtual time `start` on. */
  plan(start: number): void {
    const { random, faults, options } = this.#world;
    const count = random.choose("document", options.foreignActs + 1);
    for (let each = 0; each < count; each++) {
      const act = random.pick("document", this.#acts);
      const at = start + random.pick("document", STARTS);
      this.#schedule("acts", () => faults.isOn && act(), at - this.#world.scheduler.now);
    }
  }

  readonly #acts: readonly (() => void)[] = [
    () => this.#edit((session) => session),
    () => this.#edit((session) => session),
    () => this.#edit((session) => session),
    () => this.signOut(),
    () => this.signOut(),
    () => this.#edit(() => this.#mint("A")),
    () => this.#edit(() => this.#mint("B")),
    () => this.#refresh(),
    () => this.#refresh(),
    () => this.restore(this.#world.random.choose("document", MAX_COPIES)),
  ];

  /** Ends all that it is doing, as a power failure does. */
  crash(): void {
    this.#life++;
  }

  /** Forgets every session, because the directory was lost with all that is known about them. */
  forget(): void {
    this.#copies = [];
    this.#memory = undefined;
  }

  /** Once the faults have ended: repairs a document that it left torn. */
  calm(): void {
    this.#schedule("repairs its document", () => this.#store.isTorn && this.#edit((session) => session), 20_000);
  }

  /** Removes the entry, or the document. */
  signOut(): void {
    const { disk, paths } = this.#store;
    const isRemoved = this.#world.random.choose("document", 3) === 2 && !this.#world.options.mounts;
    if (isRemoved) this.#schedule("removes the document", () => this.#put(() => disk.unlink(paths.file), "removal"), 0);
    else this.#edit(() => undefined);
  }

  /** Writes an old copy of the document. */
  restore(back: number): void {
    const text = this.#copies.at(-1 - back);
    if (text === undefined) return;
    this.#world.note("", "! the other program restores an old copy of its document");
    this.#write(text);
  }

  /** Begins to write, and does not end. */
  tear(share: number): void {
    const { text } = this.#store;
    const stamp = this.#store.disk.stat(this.#store.paths.file);
    if (!text || !stamp || this.#store.isTorn) return;
    this.#world.note("", "! the other program dies while it writes its document");
    this.crash();
    const part = text.slice(0, Math.floor(text.length * share));
    this.#put(() => this.#store.disk.writeInto(stamp.fileId, part, true), "in pieces");
  }

  /** Reads the document, thinks, and writes it. */
  #edit(change: Change): void {
    const session = this.#read();
    const thought = this.#world.random.pick("document", THOUGHTS);
    this.#schedule("has thought", () => this.#write(this.#store.kind.write(change(session), ++this.#writes)), thought);
  }

  /** Presents the refresh token that it reads: another process may have presented it before. */
  #refresh(): void {
    const session = this.#read();
    if (!session) return;
    const { random, server, options, scheduler, invariants } = this.#world;
    const latency = () => random.pick("document", LATENCIES);
    const receive = () => {
      const outcome = server.refresh(session.refreshToken);
      if (outcome.kind !== "tokens") return;
      const { access_token: accessToken } = outcome.response;
      invariants.callers.onIssued(accessToken, { isExpiryKnown: true });
      const expiresAt = EPOCH + scheduler.now + options.lifetime;
      const next = { ...session, accessToken, refreshToken: outcome.refreshToken, expiresAt };
      this.#schedule("has refreshed", () => this.#write(this.#store.kind.write(next, ++this.#writes)), latency());
    };
    this.#schedule("refreshes", receive, latency());
  }

  /** Signs in at the server. */
  #mint(account: string): ForeignSession {
    const { server, scheduler, options } = this.#world;
    const { accessToken, refreshToken = "" } = server.signIn(account, 0);
    const session = { accessToken, refreshToken, account, expiresAt: EPOCH + scheduler.now + options.lifetime };
    this.#world.note(FOREIGN, `signs in: ${shortAccess(readToken(accessToken))}`);
    this.#world.invariants.callers.onIssued(accessToken, { isExpiryKnown: true });
    return session;
  }

  /** Returns the session in the document; if that is torn, the one that it has read before. */
  #read(): ForeignSession | undefined {
    const found = readDocument(this.#store.kind, this.#store.text);
    if (found.kind === "torn") return this.#memory;
    this.#memory = undefined;
    if (found.kind === "empty") return undefined;
    const { accessToken = "", refreshToken = "", expiresAt = 0 } = found.tokens;
    const { account } = readToken(accessToken);
    this.#memory = { accessToken, refreshToken, expiresAt: Number(expiresAt), account };
    return this.#memory;
  }

  #write(text: string): void {
    const { disk, paths } = this.#store;
    if (!disk.stat(paths.parent)) return;
    const manners: readonly Manner[] = ["rename", "rename", "in place", "in pieces", "in steps"];
    const drawn = this.#world.random.pick("document", manners);
    const manner = disk.mounted === undefined || drawn === "in place" ? drawn : "in pieces";
    this.#copies = [...this.#copies, text].slice(-MAX_COPIES);
    if (!disk.stat(paths.file) || manner === "rename") this.#put(() => disk.replace(paths.file, text), manner);
    else if (manner === "in steps") this.#writeAnew(text);
    else this.#writeInto(text, manner);
  }

  get #gap(): number {
    return this.#world.random.pick("document", GAPS);
  }

  /** Removes the document, and creates it again. */
  #writeAnew(text: string): void {
    const { disk, paths } = this.#store;
    this.#put(() => disk.unlink(paths.file), "in steps");
    this.#schedule("writes it again", () => this.#put(() => disk.replace(paths.file, text), "in steps"), this.#gap);
  }

  #writeInto(text: string, manner: Manner): void {
    const { disk, paths } = this.#store;
    const { fileId = "" } = disk.stat(paths.file) ?? {};
    const put = (part: string) => this.#put(() => disk.writeInto(fileId, part, true), manner);
    const rest = () => this.#schedule("writes the rest", () => put(text), this.#gap);
    const half = () => {
      put(text.slice(0, text.length / 2));
      rest();
    };
    if (manner === "in place") put(text);
    else {
      put("");
      this.#schedule("writes a half", half, this.#gap);
    }
  }

  /** Performs one change of the document. */
  #put(change: () => void, how: string): void {
    if (!this.#store.disk.stat(this.#store.paths.parent)) return;
    const { text } = this.#store;
    change();
    this.#world.note(FOREIGN, `  writes its document (${how}): ${this.#summary}`);
    this.#store.document.onForeign(text);
    if (this.#store.text !== text) this.#store.notify();
  }

  get #summary(): string {
    const { found } = this.#store;
    return found.kind === "session" ? shortAccess(readToken(found.tokens.accessToken ?? "")) : found.kind;
  }

  #schedule(label: string, act: () => unknown, delay: number): void {
    const life = this.#life;
    const run = () => void (life === this.#life && act());
    const { scheduler } = this.#world;
    scheduler.add({ author: FOREIGN, label, at: scheduler.now + delay, run });
  }
}
