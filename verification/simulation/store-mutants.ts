import type { Edit, Mutant } from "./mutate.ts";

const node = (file: string, find: string, replace: string): Edit => ({
  file: `packages/store-node/src/${file}`,
  find,
  replace,
});

/** Each breaks one rule of the file store. */
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
    name: "a collected number not noticed",
    edits: [
      node(
        "generations.ts",
        "const isPublished = await this.#isInHistory(draft);",
        "const isPublished = true as boolean | undefined;",
      ),
    ],
  },
  {
    name: "a draft not synced",
    edits: [node("generations.ts", "text, { durable: true }", "text, { durable: false }")],
  },
  {
    name: "a published number not synced",
    edits: [node("generations.ts", "await this.#fs.syncDirectory(this.directory);", "")],
  },
  {
    name: "a publication that failed to sync believed",
    edits: [node("file-store.ts", "if (this.#isUnconfirmed) await this.#syncUnconfirmed();", "")],
  },
  {
    name: "the chain's own name not synced",
    edits: [
      node(
        "file-store.ts",
        "await makeDurableDirectory(this.#fs, paths.chain);",
        "await this.#fs.makeDirectory(paths.chain);",
      ),
    ],
  },
  {
    name: "a directory that is gone taken for no session",
    edits: [node("file-store.ts", "await this.#checkParent(snapshot, parentStamp);", "")],
  },
  {
    name: "a mounted session file not written",
    edits: [node("session-file.ts", "return fs.overwrite(paths.file, staged.text)", "return Promise.reject(staged)")],
  },
];
