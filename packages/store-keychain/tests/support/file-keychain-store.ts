import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoreFixture } from "@unexpired/testing";
import { FORMATS } from "../../../testing/tests/document-formats.ts";
import { fileKeychain, type Limit } from "../fixtures/file-keychain.ts";
import { openStore, type StoreArgument } from "../fixtures/open-keychain-store.ts";

export const storeModule = new URL("../fixtures/open-keychain-store.ts", import.meta.url);

/** Returns the argument that opens a store over a keychain of files. */
export const argumentIn = (directory: string, limit?: Limit): StoreArgument => ({
  service: "unexpired tests",
  account: "ada",
  directory: join(directory, "state"),
  backend: { directory: join(directory, "keychain"), limit },
});

/** Lists the items of a keychain of files. */
export const itemFilesIn = (directory: string): string[] => readdirSync(join(directory, "keychain")).sort();

/** Creates a store over a keychain of files for one case of the contract tests. */
export function fileKeychainFixture(limit?: Limit): StoreFixture {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-keychain-"));
  return fixtureOver(directory, argumentIn(directory, limit), itemFilesIn);
}

/** Returns the file of the item that another program keeps in a keychain of files. */
const itemFileOf = ({ service, account }: StoreArgument, directory: string): string =>
  join(directory, "keychain", encodeURIComponent(`${service}/${account}`));

/** Creates a store whose session is part of another program's item, for one case of the contract tests. */
export async function formatFixture(format: string): Promise<StoreFixture> {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-keychain-"));
  const argument = { ...argumentIn(directory), format };
  const document = FORMATS[format]?.document;
  const { service, account, backend } = argument;
  if (document !== undefined && typeof backend !== "string")
    await fileKeychain(backend).set(service, account, document);
  const own = () => itemFilesIn(directory).filter((name) => name.startsWith("Unexpired"));
  return {
    ...fixtureOver(directory, argument, own),
    damageOverwritable: () =>
      damageFiles([itemFileOf(argument, directory)], (number) => FORMATS[format]?.damaged(number) ?? ""),
    withoutRefreshTokens: FORMATS[format]?.withoutRefreshTokens,
  };
}

let damages = 0;

/** Writes another text into each file. Returns a function that restores the files. */
function damageFiles(paths: readonly string[], textFor: (number: number) => string): () => void {
  const before = paths.map((path) => ({ path, content: existsSync(path) ? readFileSync(path) : undefined }));
  const text = textFor(++damages);
  for (const path of paths) writeFileSync(path, text, "utf16le");
  return () => {
    for (const { path, content } of before) content ? writeFileSync(path, content) : rmSync(path);
  };
}

function fixtureOver(directory: string, argument: StoreArgument, list: (directory: string) => string[]): StoreFixture {
  const items = () => list(directory).map((name) => join(directory, "keychain", name));
  return {
    open: () => openStore(argument),
    openNeighbor: () => openStore({ ...argument, account: "ada 2" }),
    childProcess: { module: storeModule, argument },
    damage: () => {
      for (const item of items()) writeFileSync(item, "damaged");
    },
    damageOverwritable: () => damageFiles(items(), (number) => `damaged ${number}`),
    interrupt() {
      const state = argument.directory;
      renameSync(state, `${state}.away`);
      writeFileSync(state, "");
      return () => {
        rmSync(state);
        renameSync(`${state}.away`, state);
      };
    },
    wipe: () => {
      for (const item of items()) rmSync(item);
    },
    dispose: () => rmSync(directory, { recursive: true }),
  };
}
