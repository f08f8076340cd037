import type { AnyFault } from "./faults.ts";
import { core, type Edit, type Mutant } from "./mutate.ts";
import type { Focus } from "./run.ts";

/** The worlds of most mutants: the other program is busy, and there are no other faults. */
const BUSY: NonNullable<Focus["world"]> = {
  kind: "file",
  document: "object",
  foreignActs: 12,
  hasLaterRelease: false,
};

/** A mutant of one of the sources of documents. */
function mutant(name: string, edits: readonly Edit[], { world, faults = [] }: Focus = {}): Mutant {
  return { name, edits, focus: { world: { ...BUSY, ...world }, faults } };
}

const source = (file: string, find: string, replace: string): Edit => ({
  file: `packages/store-node/src/documents/${file}`,
  find,
  replace,
});

/** Faults after which processes start again. */
const ENDS: readonly AnyFault[] = ["power failure", "crash"];

/** Mutants that each break one rule about the session in another program's document. */
export const DOCUMENT_MUTANTS: readonly Mutant[] = [
  mutant("an entry that is empty for a moment counts as signed out", [
    source(
      "settle.ts",
      "if (elapsed < SIGNED_OUT_AFTER) return this.#wait(SIGNED_OUT_AFTER - elapsed, this.isSeen);",
      "",
    ),
  ]),
  mutant("two looks at different documents count as one second", [
    source("passing-state.ts", " && last.textId === look.textId", ""),
  ]),
  mutant("a sign-out is not noticed", [
    source(
      "settle.ts",
      "return isFinished === undefined || !(isFinished || (await this.#signOut(snapshot)));",
      "return true;",
    ),
  ]),
  mutant("what the document has shown is not remembered", [
    source("document.ts", "this.#shownMark(paths).remember(head, marks);", "Promise.resolve(marks);"),
  ]),
  mutant("a sign-out ends a session that was never shown", [
    source(
      "entry.ts",
      "marks.shown.some(({ mark }) => mark.endsWith(",
      "marks.shown.some(({ mark }) => mark !== sessionMark || mark.endsWith(",
    ),
  ]),
  mutant("an adopted session is not noted before it is published", [
    source("settle.ts", "await this.#deps.noteFound(snapshot, value).catch(() => undefined);", ""),
  ]),
  mutant(
    "what is about to be written is not noted",
    [source("document.ts", "await this.#shownMark(paths).announce(writtenMarkOf(this.#format, head.value));", "")],
    { faults: ["slow disk"] },
  ),
  mutant("what the other program writes in place is not put back", [
    source(
      "replace-document.ts",
      "if (isWritten) await restore(fs, { ...files, own }, observer);",
      "if (isWritten) void own;",
    ),
  ]),
  mutant("a sign-out is stored although the entry is filled again", [
    source(
      "settle.ts",
      "await this.#deps.save(value, overwriteVersion)",
      "await this.#deps.save(value, overwriteVersion?.replace(/-[^-]*$/, ''))",
    ),
  ]),
  mutant("a document is replaced without a last look", [
    source("replace-document.ts", "if (!sameContent(await fs.stat(files.file), stamp)) return false;", ""),
  ]),
  mutant(
    "a document is overwritten without a last look",
    [
      source(
        "write-in-place.ts",
        "const isUnchanged = sameContent(await fs.stat(file), stamp);",
        "const isUnchanged = stamp !== undefined;",
      ),
    ],
    { faults: ["document busy"] },
  ),
  mutant(
    "a document is overwritten without copies",
    [source("write-in-place.ts", "if (stamp) await fs.copy(file, copies.before);", "")],
    { faults: ["document busy"] },
  ),
  mutant(
    "a half-written document is not finished",
    [source("document-store.ts", "return await this.#document.finish(paths);", "return paths === undefined;")],
    { world: { mounts: true }, faults: ENDS },
  ),
  mutant(
    "a document is not synced before it replaces the old one",
    [
      source(
        "replace-document.ts",
        "await fs.create(temporaryPath, next, { durable: true });",
        "await fs.create(temporaryPath, next, { durable: false });",
      ),
    ],
    { faults: ENDS },
  ),
  mutant("a spent token of the account is adopted", [
    core(
      "record/reconcile.ts",
      "return isAlternative(other, current, now);\n  if (isSpentIn(current, other)) return false;",
      "return isAlternative(other, current, now);",
    ),
  ]),
  mutant(
    "a verdict is shown to the other program",
    [
      core(
        "record/document-session.ts",
        'dead.reason === "signed_out" ? { id, session: undefined } : undefined',
        "{ id, session: undefined }",
      ),
    ],
    { faults: ["invalid_grant"] },
  ),
  mutant("the other program's session is used before it is published", [
    source("settle.ts", "return !(await this.#publish(snapshot, status.value));", "return true;"),
  ]),
  mutant(
    "a session that a sign-in replaced comes back from a document that was torn",
    [
      source(
        "entry.ts",
        " || marks.shown.some((note) => note",
        " || marks.shown.some((note) => note.mark === mark && note",
      ),
    ],
    { faults: ["session file torn"] },
  ),
  mutant(
    "a publication in a document's chain is trusted although its sync failed",
    [source("document-store.ts", "if (this.#isUnconfirmed) await this.#syncUnconfirmed();", "")],
    { world: { foreignActs: 0 }, faults: ["sync fails shortly before a power failure"] },
  ),
  mutant(
    "a document's directory that vanished is forgotten",
    [source("document-store.ts", "if (isPublished !== false) this.#directory.remember(parentStamp);", "")],
    { faults: ["directory vanishes"] },
  ),
  mutant("a session's age is told by another clock", [
    source("entry.ts", "reconcileRecords(head.value, record, known.now)", "reconcileRecords(head.value, record, 8e15)"),
  ]),
];
