import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TokenStore } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { nodeFileSystem } from "@unexpired/store-node/chain";
import type { Backing } from "@unexpired/testing";
import { type Choice, ChoiceFile } from "../../src/file-fallback/location-file.ts";
import { type KeychainOrFileOptions, keychainStore } from "../../src/index.ts";
import { settingsOf } from "../../src/options.ts";
import { type EitherPlace, openStore, optionsOf } from "../fixtures/open-keychain-or-file.ts";
import type { Order, Told } from "../fixtures/run-task.ts";

const either = new URL("../fixtures/open-keychain-or-file.ts", import.meta.url);

/** All files below a directory. */
const filesIn = (directory: string): string[] =>
  existsSync(directory)
    ? readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : [];

/** One place for a session, and what is below it. */
export class Place {
  readonly directory: string;

  constructor(directory = mkdtempSync(join(tmpdir(), "unexpired-either-"))) {
    this.directory = directory;
  }

  /** A process that sees such a keychain, as far as one process can be several. */
  open(keychain?: EitherPlace["keychain"]): TokenStore {
    return openStore({ directory: this.directory, keychain });
  }

  get options(): KeychainOrFileOptions {
    return this.optionsFor("works");
  }

  optionsFor(keychain: EitherPlace["keychain"]): KeychainOrFileOptions {
    return optionsOf({ directory: this.directory, keychain });
  }

  /** The keychain's store alone, and the file's: another program's, or an earlier version's. */
  get keychain(): TokenStore {
    return keychainStore(this.options);
  }

  get file(): TokenStore {
    return fileStore(this.options.plainTextFile);
  }

  /** What is stored in each of the two. */
  async held(): Promise<{ keychain: string | undefined; file: string | undefined }> {
    return { keychain: (await this.keychain.load())?.value, file: (await this.file.load())?.value };
  }

  get #choicePath(): string {
    return `${settingsOf(this.options).path}.place`;
  }

  /** What is remembered. */
  get choice(): unknown {
    return existsSync(this.#choicePath) ? JSON.parse(readFileSync(this.#choicePath, "utf8")) : undefined;
  }

  /** Remembers something else, as a process would. */
  choose(choice: Choice): Promise<void> {
    return new ChoiceFile(nodeFileSystem, this.#choicePath).replace(choice);
  }

  damageChoice(text: string): void {
    writeFileSync(this.#choicePath, text);
  }

  /** The files that are not in the keychain of files. */
  get outside(): readonly string[] {
    return [...filesIn(join(this.directory, "state")), ...filesIn(join(this.directory, "plain"))];
  }

  get plain(): readonly string[] {
    return filesIn(join(this.directory, "plain"));
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Does it in a process of its own. `undefined`: the process has killed itself. */
export async function doOnce(order: Order, env: NodeJS.ProcessEnv = process.env): Promise<Told | undefined> {
  const program = join(import.meta.dirname, "../fixtures/run-task.ts");
  const child = fork(program, [JSON.stringify(order)], { env: { ...env, NODE_OPTIONS: "" } });
  let told: Told | undefined;
  child.on("message", (message: Told) => {
    told = message;
  });
  await Promise.all([once(child, "exit"), once(child, "disconnect")]);
  return told;
}

/** A place for one case of the kit. */
export function eitherBacking(keychain: "works" | "no_service"): Backing {
  const place = new Place();
  const session = () => filesIn(join(place.directory, keychain === "works" ? "keychain" : "plain"));
  return {
    open: () => place.open(keychain),
    elsewhere: { module: either, argument: { directory: place.directory, keychain } satisfies EitherPlace },
    damage: () => {
      for (const file of session()) writeFileSync(file, "damaged");
    },
    wipe: () => {
      for (const file of session()) rmSync(file);
    },
    dispose: () => place[Symbol.dispose](),
  };
}
