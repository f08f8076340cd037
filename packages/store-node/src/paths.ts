import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join, posix, relative, resolve, win32 } from "node:path";
import type { SessionFormat } from "@unexpired/core";
import type { FileSystem } from "./filesystem.ts";
import { codeOf } from "./fs-errors.ts";
import { assertKnownOptions } from "./known-options.ts";

/** The location of a file store's session: exactly one of `path` and `appName`. */
export type FileStoreOptions = (
  | {
      /**
       * The session file, relative to the current working directory. Saving creates its directories. `~` and variables
       * are not expanded.
       */
      readonly path: string;
      readonly appName?: undefined;
    }
  | {
      /**
       * The application's name, a single path segment. The session is stored in the system's directory for user state,
       * as `<state>/<appName>/session.json`.
       */
      readonly appName: string;
      readonly path?: undefined;
    }
) & {
  /**
   * The directory for the generations of the session; default: the session file's. Needed only if the session file is
   * itself a mount point, such as a single file that containers share: then this directory must be on a mount that all
   * processes share, and each of them has to name it, with a session file of the same name. Sessions whose files have the
   * same name need different directories.
   */
  readonly stateDirectory?: string | undefined;
  /**
   * The format of a file of another program that the session is part of. Without it, the file holds nothing else, in a
   * format of its own.
   */
  readonly format?: SessionFormat | undefined;
};

/** The paths that belong to one session. */
export interface SessionPaths {
  readonly file: string;
  /** The directory of the chain, and of the session file unless `isChainShared`. */
  readonly parent: string;
  /** The directory of the generations. */
  readonly chain: string;
  /** The path that `chain` is renamed to while it is being removed. */
  readonly removed: string;
  /** Whether the chain is in a state directory, which all processes share even if the session file is mounted. */
  readonly isChainShared: boolean;
  /** The same two paths through symbolic links, which may lead to another session by now. */
  readonly unresolved: { readonly file: string; readonly chain: string };
}

/** Places of a session other than its file. */
export interface Places {
  readonly stateDirectory?: string | undefined;
  /** The directory of the chain within that of the file, if the file is a document that holds several sessions. */
  readonly entry?: string | undefined;
}

/** Returns the paths that belong to the session file `file`. The symbolic links in both paths are resolved. */
export const pathsOf = (file: string, { stateDirectory, entry = "" }: Places = {}): SessionPaths => {
  const parent = stateDirectory ?? dirname(file);
  const chain = join(parent, `.${basename(file)}.unexpired`, entry);
  const [removed, isChainShared] = [`${chain}-removed`, stateDirectory !== undefined];
  return { file, parent, chain, removed, isChainShared, unresolved: { file, chain } };
};

/** Whether the name of the removed chain is short enough. Earlier releases saved even if it is not. */
export const canMarkRemoval = async (fs: Pick<FileSystem, "stat">, { removed }: SessionPaths): Promise<boolean> =>
  (await fs.stat(removed).catch(codeOf)) !== "ENAMETOOLONG";

/** Resolves the symbolic links in the given paths, and returns the paths that belong to the session. */
export async function resolvePaths(
  fs: Pick<FileSystem, "resolve">,
  file: string,
  { stateDirectory, entry }: Places,
): Promise<SessionPaths> {
  const resolved = await fs.resolve(file);
  const state = stateDirectory === undefined ? undefined : await fs.resolve(stateDirectory);
  const paths = pathsOf(resolved, { stateDirectory: state, entry });
  const chain = stateDirectory === undefined ? paths.chain : join(stateDirectory, relative(paths.parent, paths.chain));
  return { ...paths, unresolved: { file, chain } };
}

/**
 * Returns the absolute path of the session file.
 *
 * @throws TypeError that names the invalid option, its type and the accepted values
 */
export function sessionFilePath(options: FileStoreOptions): string {
  assertKnownOptions("fileStore", options, ["path", "appName", "stateDirectory", "format"]);
  const { path, appName } = Object(options) as { path?: unknown; appName?: unknown };
  if ((path === undefined) === (appName === undefined)) {
    const given = path === undefined ? "neither" : "both";
    throw new TypeError(`fileStore: pass exactly one of "path" and "appName", not ${given}.`);
  }
  if (path === undefined) return stateFilePath(checkAppName(appName), process);
  return absoluteFilePath(path, { caller: "fileStore", option: "path" });
}

/**
 * Returns the path of a file that is not relative.
 *
 * @throws TypeError like {@link absolutePath}
 */
export function absoluteFilePath(path: unknown, { caller, option }: Pick<PathOption, "caller" | "option">): string {
  if (typeof path === "string" && /[\\/]$/.test(path))
    throw new TypeError(`${caller}: "${option}" must be the path of a file, not a directory.`);
  return absolutePath(path, { caller, option, kind: "a file" });
}

/**
 * Returns the absolute path of the state directory, if the options name one.
 *
 * @throws TypeError like {@link sessionFilePath}
 */
export function stateDirectoryPath({ stateDirectory }: FileStoreOptions): string | undefined {
  return stateDirectory === undefined
    ? undefined
    : absolutePath(stateDirectory, { caller: "fileStore", option: "stateDirectory", kind: "a directory" });
}

/** The option that a path was passed in. */
interface PathOption {
  /** The function that the option was passed to. */
  readonly caller: string;
  readonly option: string;
  readonly kind: "a file" | "a directory";
}

/**
 * Returns a path that is not relative.
 *
 * @throws TypeError that names the option and what is wrong with it
 */
export function absolutePath(path: unknown, { caller, option, kind }: PathOption): string {
  const name = `${caller}: "${option}"`;
  const isUrl = typeof path === "string" ? /^(file:|[a-z][a-z\d+.-]+:\/\/)/i.test(path) : "href" in Object(path);
  if (isUrl) throw new TypeError(`${name} must be a path, not a URL. Pass fileURLToPath(url).`);
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new TypeError(`${name} must be the path of ${kind}, not ${describeType(path)}.`);
  }
  const unexpanded = /^~[^\\/]*(?=[\\/])/.exec(path)?.[0] ?? path.split(/[\\/]/).find((part) => UNEXPANDED.test(part));
  if (unexpanded !== undefined) {
    const otherwise = option === "path" ? ', or use "appName"' : "";
    throw new TypeError(
      `${name} contains ${unexpanded}, which only a shell expands. Pass join(homedir(), …)${otherwise}.`,
    );
  }
  try {
    return resolve(path);
  } catch (error) {
    throw new TypeError(
      `${name} is relative, but the current working directory no longer exists. Pass an absolute path.`,
      { cause: error },
    );
  }
}

/** Names of directories that a shell would replace: `~`, `$HOME`, `$env:APPDATA`, `${HOME}`, `%APPDATA%`. */
const UNEXPANDED = /^(~|\$(env:)?\w+|.*\$\{.*\}.*|%\w+%)$/i;

const describeType = (value: unknown): string => {
  if (value === null) return "null";
  if (value === "") return "an empty string";
  if (typeof value === "string") return "a string with a null character";
  return typeof value === "object" ? "an object" : `of type ${typeof value}`;
};

function checkAppName(appName: unknown): string {
  if (typeof appName !== "string" || appName === "") {
    throw new TypeError(`fileStore: "appName" must be a name such as "my-tool", not ${describeType(appName)}.`);
  }
  const isSegment = !/[\\/:*?"<>|\p{Cc}]|[. ]$/u.test(appName);
  if (!isSegment) {
    throw new TypeError(
      'fileStore: "appName" must be one path segment, without reserved characters or a trailing dot or space.',
    );
  }
  return appName;
}

/**
 * Returns the session file in the directory that the operating system reserves for the state of a user's programs.
 *
 * @throws TypeError if the user has no home directory; names the option that makes one unnecessary
 */
export function stateFilePath(
  appName: string,
  { platform, env }: { readonly platform: NodeJS.Platform; readonly env: NodeJS.ProcessEnv },
  option: Pick<PathOption, "caller" | "option"> = { caller: "fileStore", option: "path" },
): string {
  const { join, isAbsolute } = platform === "win32" ? win32 : posix;
  const file = [appName, "session.json"];
  const homeDirectory = (variable: string) => homeOr(variable, option);
  if (platform === "darwin") return join(homeDirectory("HOME"), "Library", "Application Support", ...file);
  const isWindows = platform === "win32";
  const state = isWindows ? env.LOCALAPPDATA : env.XDG_STATE_HOME;
  // The XDG Base Directory Specification requires relative paths to be ignored.
  if (state && isAbsolute(state)) return join(state, ...file);
  return isWindows
    ? join(homeDirectory("LOCALAPPDATA"), "AppData", "Local", ...file)
    : join(homeDirectory("HOME or XDG_STATE_HOME"), ".local", "state", ...file);
}

function homeOr(variable: string, { caller, option }: Pick<PathOption, "caller" | "option">): string {
  let home: string | undefined;
  try {
    home = homedir();
  } catch {
    // no entry in the user database
  }
  if (home && isAbsolute(home)) return home;
  throw new TypeError(
    `${caller}: this user has no home directory. Set ${variable} to an absolute path, or pass "${option}".`,
  );
}
