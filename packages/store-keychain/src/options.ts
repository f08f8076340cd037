import { createHash } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { pathsOf, type SessionPaths, stateFilePath } from "@unexpired/store-node/chain";
import type { BuiltInBackend, KeychainBackend } from "./backend.ts";
import { BUILT_IN } from "./vaults.ts";

/** Which session, in which keychain. */
export interface KeychainStoreOptions {
  /** The program, as the keychain shows it: `"my-tool"`. */
  readonly service: string;
  /** Whose session it is, or `"default"`. */
  readonly account: string;
  /**
   * The package that talks to the keychain, or your own. Default: the one that the session is in; for a new session
   * `@napi-rs/keyring`, and `keytar` where that cannot be loaded. To name one moves the session there with the next save.
   */
  readonly backend?: BuiltInBackend | KeychainBackend | undefined;
  /** How long each call of the keychain may take, in milliseconds. Default 3,000. */
  readonly deadline?: number | undefined;
  /**
   * Where the versions are kept: digests, no secret. All programs of a session have to agree. Default: where this system
   * keeps what programs of one user remember, in `unexpired/keychain`.
   */
  readonly directory?: string | undefined;
}

/** The options, checked, with their defaults. */
export interface Settings {
  readonly service: string;
  readonly account: string;
  /** What errors call it. */
  readonly name: string;
  readonly backend: BuiltInBackend | KeychainBackend | undefined;
  readonly deadline: number;
  /** The file that tells of the last save; the names beside it belong to it. */
  readonly path: string;
  readonly place: SessionPaths;
}

const DEADLINE = 3_000;

/** @throws TypeError naming the option, and what is accepted */
export function settingsOf(options: KeychainStoreOptions): Settings {
  const { service, account, backend, deadline = DEADLINE, directory } = Object(options) as KeychainStoreOptions;
  for (const [name, value] of Object.entries({ service, account, directory: directory ?? "default" })) {
    if (typeof value !== "string" || value === "" || value.includes("\0")) {
      throw new TypeError(`keychainStore: "${name}" must be a text that is not empty, without a zero in it.`);
    }
  }
  if (typeof deadline !== "number" || !(deadline > 0)) {
    throw new TypeError('keychainStore: "deadline" must be a number of milliseconds above 0.');
  }
  if (backend !== undefined && !isBackend(backend)) {
    throw new TypeError(
      `keychainStore: "backend" must be ${BUILT_IN.map((name) => `"${name}"`).join(", ")} or an object with name, get, set and delete; its limit must be above 1.`,
    );
  }
  const path = join(resolve(directory ?? defaultDirectory()), nameOf(service, account));
  const name = `The keychain item "${service}" of "${account}"`;
  return { service, account, name, backend, deadline, path, place: pathsOf(path) };
}

const isBackend = (backend: unknown): boolean => {
  if (typeof backend === "string") return BUILT_IN.some((name) => name === backend);
  if (typeof backend !== "object" || backend === null) return false;
  const { name, limit = 2, get, set, delete: remove } = backend as Partial<KeychainBackend>;
  const isLimit = Number.isInteger(limit) && limit > 1;
  return typeof name === "string" && isLimit && [get, set, remove].every((method) => typeof method === "function");
};

const defaultDirectory = (): string => join(dirname(stateFilePath("unexpired", process)), "keychain");

/** A file's name that no service and account cannot be, and that does not tell whose session it is. */
const nameOf = (service: string, account: string): string =>
  createHash("sha256")
    .update(JSON.stringify([service, account]))
    .digest("hex")
    .slice(0, 32);
