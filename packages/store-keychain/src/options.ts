import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import type { SessionFormat } from "@unexpired/core";
import {
  absolutePath,
  assertKnownOptions,
  formatOption,
  machineName,
  pathsOf,
  type SessionPaths,
  stateFilePath,
} from "@unexpired/store-node/chain";
import type { BuiltInBackend, KeychainBackend } from "./backends/keychain-client.ts";
import { BUILT_IN_BACKENDS } from "./backends/registry.ts";

/** The session to store, and the keychain that stores it. */
export interface KeychainStoreOptions {
  /** The name of the program as the keychain displays it, such as `"my-tool"`. */
  readonly service: string;
  /** The account that the session belongs to. Use `"default"` if the program has only one. */
  readonly account: string;
  /**
   * The package that accesses the keychain, or your own implementation. Default: the backend that stored the session;
   * for a new session `@napi-rs/keyring`, or `keytar` if that cannot be loaded. If another backend is named, the next
   * save moves the session there.
   */
  readonly backend?: BuiltInBackend | KeychainBackend | undefined;
  /** The timeout of each keychain call in milliseconds. Default: 3,000. */
  readonly timeout?: number | undefined;
  /**
   * The directory of the version files, which contain digests but no secret. All programs that share a session must use
   * the same one. Default: `unexpired/keychain` in the system's directory for the state of a user's programs. On Linux,
   * each machine has its own directory in there, because machines may share a home directory but not a keychain.
   */
  readonly directory?: string | undefined;
  /**
   * The format of an item of another program that the session is part of, such as `jsonFormat(…)` of
   * `@unexpired/store-node`. `service` and `account` then name that item. Default: the session has items of its own only.
   */
  readonly format?: SessionFormat | undefined;
}

/** The validated options, with defaults applied. */
export interface KeychainSettings {
  readonly service: string;
  readonly account: string;
  /** The name of the session in error messages. */
  readonly label: string;
  readonly backend: BuiltInBackend | KeychainBackend | undefined;
  readonly timeout: number;
  /** Whether the keychain limits the length of an item, so that a session may need several. */
  readonly isSplit: boolean;
  readonly format: SessionFormat | undefined;
  /** The file that describes the last save. The paths of the chain are derived from its name. */
  readonly statusFile: string;
  readonly paths: SessionPaths;
  /**
   * The directory around that of this machine, if the default is used. Other machines have theirs in it, and an earlier
   * release its version files.
   */
  readonly sharedDirectory: string | undefined;
}

/** The parts of the system that the default directory depends on. */
export interface DefaultsSystem {
  readonly platform: NodeJS.Platform;
  readonly env: NodeJS.ProcessEnv;
  /** The name of the machine, if a home directory can be shared by machines that do not share a keychain. */
  readonly machine: string | undefined;
}

const DEFAULT_TIMEOUT = 3_000;

/** The function that options were passed to. */
type Caller = "keychainStore" | "keychainOrFile" | "keychainItem";

const SUPPORTED = ["service", "account", "backend", "timeout", "directory"];

/** @throws TypeError naming the invalid option and the accepted values */
export function resolveSettings(
  options: KeychainStoreOptions,
  system: DefaultsSystem = thisSystem(),
  caller: Caller = "keychainStore",
): KeychainSettings {
  assertKnownOptions(caller, options, [...SUPPORTED, caller === "keychainOrFile" ? "plainTextFile" : "format"]);
  const { service, account, backend, timeout = DEFAULT_TIMEOUT, directory } = Object(options) as KeychainStoreOptions;
  for (const [name, value] of Object.entries({ service, account })) {
    if (typeof value !== "string" || value === "" || value.includes("\0")) {
      throw new TypeError(`${caller}: "${name}" must be a non-empty string without null characters.`);
    }
  }
  if (typeof timeout !== "number" || !(timeout > 0)) {
    throw new TypeError(`${caller}: "timeout" must be a positive number of milliseconds.`);
  }
  if (backend !== undefined && !isValidBackend(backend)) {
    throw new TypeError(
      `${caller}: "backend" must be ${BUILT_IN_BACKENDS.map((name) => `"${name}"`).join(", ")}, or an object with name, get, set and delete, and a limit above 1 if it has one.`,
    );
  }
  const format = formatOption(caller, options);
  const { own, shared } = directoriesOf(directory, system, caller);
  const statusFile = join(own, digestOfNames(service, account, ...(format ? [format.key] : [])));
  const label = `The keychain item "${service}" for account "${account}"`;
  return {
    service,
    account,
    label,
    backend,
    timeout,
    isSplit: isLimited(backend, system),
    format,
    statusFile,
    paths: pathsOf(statusFile),
    sharedDirectory: shared,
  };
}

/** Only Windows limits the items of the built-in backends. */
const isLimited = (backend: KeychainStoreOptions["backend"], { platform }: DefaultsSystem): boolean =>
  typeof backend === "object" ? backend.limit !== undefined : platform === "win32";

function directoriesOf(
  directory: string | undefined,
  system: DefaultsSystem,
  caller: Caller,
): { readonly own: string; readonly shared: string | undefined } {
  const option = { caller, option: "directory", kind: "a directory" } as const;
  if (directory !== undefined) return { own: absolutePath(directory, option), shared: undefined };
  const shared = join(dirname(stateFilePath("unexpired", system, option)), "keychain");
  return system.machine === undefined
    ? { own: shared, shared: undefined }
    : { own: join(shared, system.machine), shared };
}

/** Returns the settings of the same session in another directory. */
export function settingsIn(directory: string, settings: KeychainSettings): KeychainSettings {
  const statusFile = join(directory, basename(settings.statusFile));
  return { ...settings, statusFile, paths: pathsOf(statusFile), sharedDirectory: undefined };
}

const isValidBackend = (backend: unknown): boolean => {
  if (typeof backend === "string") return BUILT_IN_BACKENDS.some((name) => name === backend);
  if (typeof backend !== "object" || backend === null) return false;
  const { name, limit = 2, get, set, delete: remove } = backend as Partial<KeychainBackend>;
  const isLimit = Number.isInteger(limit) && limit > 1;
  return typeof name === "string" && isLimit && [get, set, remove].every((method) => typeof method === "function");
};

/** On macOS the keychain is in the home directory itself, and on Windows the directory belongs to one machine. */
const thisSystem = (): DefaultsSystem => {
  const { platform, env } = process;
  return { platform, env, machine: ["darwin", "win32"].includes(platform) ? undefined : machineName() };
};

/** A file name that is valid for every service and account, and that does not reveal them. */
export const digestOfNames = (...names: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(names)).digest("hex").slice(0, 32);
