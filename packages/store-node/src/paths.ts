import { homedir } from "node:os";
import { basename, dirname, join, posix, resolve, win32 } from "node:path";

/** The location of a file store's session: exactly one of `path` and `appName`. */
export type FileStoreOptions =
  | {
      /** The session file, relative to the current working directory. Saving creates its directories. */
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
    };

/** The paths that belong to one session. */
export interface SessionPaths {
  readonly file: string;
  /** The directory of the session file. */
  readonly parent: string;
  /** The directory of the generations. */
  readonly chain: string;
  /** The path that `chain` is renamed to while it is being removed. */
  readonly removed: string;
}

/** Returns the paths that belong to the session file `file`, whose symbolic links are resolved. */
export const pathsOf = (file: string): SessionPaths => ({
  file,
  parent: dirname(file),
  chain: join(dirname(file), `.${basename(file)}.unexpired`),
  removed: join(dirname(file), `.${basename(file)}.unexpired-removed`),
});

/**
 * Returns the absolute path of the session file.
 *
 * @throws TypeError that names the invalid option, its type and the accepted values
 */
export function sessionFilePath(options: FileStoreOptions): string {
  const { path, appName } = Object(options) as { path?: unknown; appName?: unknown };
  if ((path === undefined) === (appName === undefined)) {
    const given = path === undefined ? "neither" : "both";
    throw new TypeError(`fileStore: pass exactly one of "path" and "appName", not ${given}.`);
  }
  if (path === undefined) return stateFilePath(checkAppName(appName), process);
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new TypeError(`fileStore: "path" must be the path of a file, not ${describeType(path)}.`);
  }
  if (/[\\/]$/.test(path)) throw new TypeError('fileStore: "path" must be the path of a file, not a directory.');
  return resolve(path);
}

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

/** Returns the session file in the directory that the operating system reserves for the state of a user's programs. */
export function stateFilePath(
  appName: string,
  system: { readonly platform: NodeJS.Platform; readonly env: NodeJS.ProcessEnv },
): string {
  const { platform, env } = system;
  if (platform === "win32") {
    return win32.join(env.LOCALAPPDATA || win32.join(homedir(), "AppData", "Local"), appName, "session.json");
  }
  if (platform === "darwin") return posix.join(homedir(), "Library", "Application Support", appName, "session.json");
  // The XDG Base Directory Specification requires relative paths to be ignored.
  const xdg = env.XDG_STATE_HOME;
  const state = xdg && posix.isAbsolute(xdg) ? xdg : posix.join(homedir(), ".local", "state");
  return posix.join(state, appName, "session.json");
}
