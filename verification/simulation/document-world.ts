import type { TokenStore } from "@unexpired/core";
import { shownOf } from "../../packages/core/src/record/document-session.ts";
import { openDocumentStore } from "../../packages/store-node/src/documents/document-store.ts";
import { chainNameOf } from "../../packages/store-node/src/documents/entry.ts";
import type { FileStoreDeps } from "../../packages/store-node/src/file-store.ts";
import type { FileSystem } from "../../packages/store-node/src/filesystem.ts";
import { pathsOf } from "../../packages/store-node/src/paths.ts";
import { DocumentInvariants } from "./document-invariants.ts";
import { DocumentSessions } from "./document-sessions.ts";
import { type DocumentKind, type Found, KINDS, readDocument } from "./documents.ts";
import { DOCUMENT_FAULTS, type DocumentFault } from "./faults.ts";
import { type FileCall, FileWorld } from "./file-world.ts";
import { ForeignProgram } from "./foreign-program.ts";
import type { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

const DOCUMENT = "/home/state/settings.json";

/** The real document store for every process, and another program that owns the document. */
export class DocumentWorld extends FileWorld {
  readonly kind: DocumentKind;
  readonly foreign: ForeignProgram;
  readonly document: DocumentInvariants;
  readonly sessions: DocumentSessions;
  readonly #world: World;
  readonly #watchers = new Map<object, { readonly process: SimulatedProcess; readonly onChange: () => void }>();

  constructor(world: World) {
    const kind = KINDS[world.options.document === "array" ? "array" : "object"];
    super(world, pathsOf(DOCUMENT, { entry: chainNameOf(kind.format) }));
    this.kind = kind;
    this.#world = world;
    this.document = new DocumentInvariants(this, world);
    this.sessions = new DocumentSessions(this, world);
    this.foreign = new ForeignProgram(this, world);
  }

  /** The text of the document. */
  get text(): string | undefined {
    return this.disk.textOf(this.paths.file);
  }

  get found(): Found {
    return readDocument(this.kind, this.text);
  }

  override get isTorn(): boolean {
    return this.found.kind === "torn";
  }

  /** Whether the document shows what it has to show of the newest generation. */
  override get isProjected(): boolean {
    const shown = shownOf(this.truth() ?? "");
    const { found } = this;
    if (!shown) return true;
    if (!shown.session) return found.kind === "empty";
    return found.kind === "session" && found.tokens.accessToken === shown.session.tokens.accessToken;
  }

  override cutPower(): void {
    const { text } = this;
    this.foreign.crash();
    super.cutPower();
    this.document.onPowerFailure(text);
  }

  override detach(span: number, isEmpty: boolean): void {
    this.foreign.crash();
    this.foreign.forget();
    super.detach(span, isEmpty);
    this.document.onDetached();
  }

  /** Tells the programs that watch the document, or its chain. */
  notify(): void {
    for (const { process, onChange } of this.#watchers.values()) {
      process.later("notice a change", onChange, this.#world.latency());
    }
  }

  protected override get canWatch(): boolean {
    return this.#world.options.watches;
  }

  protected override open(process: SimulatedProcess, { fs, lock }: Pick<FileStoreDeps, "fs" | "lock">): TokenStore {
    const { clock } = process;
    return openDocumentStore(this.paths.file, {
      fs: { ...fs, now: () => clock.now() },
      lock,
      format: this.kind.format,
      // It keeps a real process alive, for two seconds at most, even if nothing waits for the load any more.
      pause: (milliseconds) => new Promise((resolve) => void clock.setTimer(() => resolve(), milliseconds, false)),
      later: (run, milliseconds) => void clock.setTimer(run, milliseconds, false),
      monotonic: () => clock.monotonic(),
      watch: (_path, onChange) => {
        const key = {};
        this.#watchers.set(key, { process, onChange });
        return () => this.#watchers.delete(key);
      },
    });
  }

  protected override perform<T>(call: FileCall, run: () => T): T {
    const before = this.text;
    const stamp = this.disk.stat(this.paths.file);
    this.document.before(call);
    const result = run();
    this.document.after(call, { text: before, stamp });
    if (call.name === "link" || this.text !== before) this.notify();
    return result;
  }

  protected override faultOf(call: keyof FileSystem, path: string): DocumentFault | undefined {
    if (call !== "rename" || path !== this.paths.file) return undefined;
    return this.#world.faults.draw(DOCUMENT_FAULTS);
  }
}
