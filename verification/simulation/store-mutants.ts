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
        "await this.#fs.link(draft.temporary, this.path(draft.number));",
        "await this.#fs.rename(draft.temporary, this.path(draft.number));",
      ),
    ],
  },
  {
    name: "a collected number not noticed",
    edits: [
      node(
        "generations.ts",
        "const isPublished = await this.#isPartOfHistory(draft);",
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
    name: "the chain's own name not synced",
    edits: [node("filesystem.ts", "await fs.syncDirectory(directory);", "")],
  },
  {
    name: "a directory that is gone taken for no session",
    edits: [node("file-store.ts", "await this.#recogniseHome(sight, home);", "")],
  },
  {
    name: "a mounted session file not written",
    edits: [node("projection.ts", "return fs.overwrite(place.file, staged.text)", "return Promise.reject(staged)")],
  },
];
