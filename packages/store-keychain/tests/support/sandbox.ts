import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TokenStore } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { nodeFileSystem } from "@unexpired/store-node/chain";
import type { StoreFixture } from "@unexpired/testing";
import { type Location, LocationFile } from "../../src/file-fallback/location-file.ts";
import { type KeychainOrFileOptions, keychainStore } from "../../src/index.ts";
import { resolveSettings } from "../../src/options.ts";
import { openStore, optionsOf, type SandboxArgument } from "../fixtures/open-keychain-or-file.ts";
import type { Task, TaskResult } from "../fixtures/run-task.ts";

const storeModule = new URL("../fixtures/open-keychain-or-file.ts", import.meta.url);

/** Lists all files below a directory. */
const filesIn = (directory: string): string[] =>
  existsSync(directory)
    ? readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : [];

/** The directory of one session: a keychain of files, the session file, and the state directory. */
export class Sandbox {
  readonly directory: string;

  constructor(directory = mkdtempSync(join(tmpdir(), "unexpired-either-"))) {
    this.directory = directory;
  }

  /** Opens the store as a separate process would, with the keychain in the given condition. */
  open(keychain?: SandboxArgument["keychain"]): TokenStore {
    return openStore({ directory: this.directory, keychain });
  }

  get options(): KeychainOrFileOptions {
    return this.optionsFor("works");
  }

  optionsFor(keychain: SandboxArgument["keychain"]): KeychainOrFileOptions {
    return optionsOf({ directory: this.directory, keychain });
  }

  /** The store of a program that uses the keychain only. */
  get keychain(): TokenStore {
    const { plainTextFile: _file, ...options } = this.options;
    return keychainStore(options);
  }

  /** The store of a program that uses the file only. */
  get file(): TokenStore {
    return fileStore(this.options.plainTextFile);
  }

  /** Returns the session in each of the two stores. */
  async contents(): Promise<{ keychain: string | undefined; file: string | undefined }> {
    return { keychain: (await this.keychain.load())?.value, file: (await this.file.load())?.value };
  }

  get #locationPath(): string {
    return `${resolveSettings(this.options, undefined, "keychainOrFile").statusFile}.place`;
  }

  /** The contents of the location file. */
  get rememberedLocation(): unknown {
    return existsSync(this.#locationPath) ? JSON.parse(readFileSync(this.#locationPath, "utf8")) : undefined;
  }

  /** Records a location, as a process would. */
  remember(location: Location): Promise<void> {
    return new LocationFile(nodeFileSystem, this.#locationPath).replace(location);
  }

  damageLocationFile(text: string): void {
    writeFileSync(this.#locationPath, text);
  }

  /** All files except the items of the keychain. */
  get filesOutsideKeychain(): readonly string[] {
    return [...filesIn(join(this.directory, "state")), ...filesIn(join(this.directory, "plain"))];
  }

  get plainTextFiles(): readonly string[] {
    return filesIn(join(this.directory, "plain"));
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Runs a task in a separate process. Returns `undefined` if the process has killed itself. */
export async function runTask(task: Task, env: NodeJS.ProcessEnv = process.env): Promise<TaskResult | undefined> {
  const program = join(import.meta.dirname, "../fixtures/run-task.ts");
  const child = fork(program, [JSON.stringify(task)], { env: { ...env, NODE_OPTIONS: "" } });
  let result: TaskResult | undefined;
  child.on("message", (message: TaskResult) => {
    result = message;
  });
  await Promise.all([once(child, "exit"), once(child, "disconnect")]);
  return result;
}

/** Creates a store for one case of the contract tests. */
export function keychainOrFileFixture(keychain: "works" | "no_service"): StoreFixture {
  const sandbox = new Sandbox();
  const sessionFiles = () => filesIn(join(sandbox.directory, keychain === "works" ? "keychain" : "plain"));
  return {
    open: () => sandbox.open(keychain),
    childProcess: {
      module: storeModule,
      argument: { directory: sandbox.directory, keychain } satisfies SandboxArgument,
    },
    damage: () => {
      for (const file of sessionFiles()) writeFileSync(file, "damaged");
    },
    wipe: () => {
      for (const file of sessionFiles()) rmSync(file);
    },
    dispose: () => sandbox[Symbol.dispose](),
  };
}
