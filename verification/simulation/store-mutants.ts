import { core, type Edit, type Mutant } from "./mutate.ts";

const node = (file: string, find: string, replace: string): Edit => ({
  file: `packages/store-node/src/${file}`,
  find,
  replace,
});

/** Mutants that each break one rule of the file store. */
export const STORE_MUTANTS: readonly Mutant[] = [
  {
    name: "check-then-rename without the chain",
    edits: [
      node(
        "generations.ts",
        "await this.#fs.link(draft.temporaryPath, this.generationPath(draft.number));",
        "await this.#fs.rename(draft.temporaryPath, this.generationPath(draft.number));",
      ),
    ],
  },
  {
    name: "collected generation not noticed",
    edits: [
      node(
        "generations.ts",
        "const isPublished = await this.#isInHistory(draft);",
        "const isPublished = true as boolean | undefined;",
      ),
    ],
    focus: { world: { kind: "file" }, faults: ["suspended before publishing"] },
  },
  {
    name: "draft not synced",
    edits: [node("generations.ts", "text, { durable: true }", "text, { durable: false }")],
  },
  {
    name: "published generation not synced",
    edits: [node("generations.ts", "await this.#fs.syncDirectory(this.directory);", "")],
  },
  {
    name: "publication trusted although its sync failed",
    edits: [node("file-store.ts", "if (this.#isUnconfirmed) await this.#syncUnconfirmed();", "")],
    focus: { world: { kind: "file" }, faults: ["sync fails shortly before a power failure"] },
  },
  {
    name: "name of the chain's directory not synced",
    edits: [
      node(
        "file-store.ts",
        "await makeDurableDirectory(this.#fs, paths.chain);\n    }\n    await ignoreInGit",
        "await this.#fs.makeDirectory(paths.chain);\n    }\n    await ignoreInGit",
      ),
      node("file-store.ts", "if (draft.number === 1) await makeDurableDirectory(this.#fs, paths.chain);", ""),
    ],
    focus: { world: { kind: "file" }, faults: ["power failure"] },
  },
  {
    name: "own session file not remembered",
    edits: [node("session-file.ts", "await new KnownFiles(fs, paths.chain).add(mark, name);", "temporaryPath;")],
  },
  {
    name: "missing directory treated as no session",
    edits: [
      node(
        "file-store.ts",
        "await this.#directory.check(paths.parent, parentStamp, snapshot.stored !== undefined);",
        "",
      ),
    ],
  },
  {
    name: "mounted session file not written",
    edits: [node("session-file.ts", "return fs.overwrite(file, staged.text)", "return Promise.reject(staged)")],
  },
  {
    name: "session that was stored before taken for an old one",
    edits: [
      node("session-file.ts", 'if (kind === "record") {', 'if (kind === "record" && !isAncestor(head, found)) {'),
    ],
    focus: { world: { kind: "file" }, faults: ["old session restored by another program"] },
  },
  {
    name: "file of another program never accepted again",
    edits: [node("generations.ts", '.filter((entry) => !entry.startsWith("@"))', "")],
    focus: { world: { kind: "file", mounts: true }, faults: ["old session restored by another program"] },
  },
  {
    name: "another program's session used before it is published",
    edits: [
      node(
        "file-store.ts",
        "this.#publishForeign(await this.#repairUnlessBusy(await this.#reader.read(paths)))",
        "this.#repairUnlessBusy(await this.#reader.read(paths))",
      ),
    ],
    focus: { world: { kind: "file" }, faults: ["old session restored by another program"] },
  },
  {
    name: "a higher rotation number counts although the token is spent",
    edits: [
      core(
        "record/reconcile.ts",
        "if (isSpentIn(current, other)) return false;\n  if (order > 0) return true;",
        "if (order > 0) return true;\n  if (isSpentIn(current, other)) return false;",
      ),
    ],
    focus: { world: { kind: "file" }, faults: ["old session restored by another program", "slow response"] },
  },
];
