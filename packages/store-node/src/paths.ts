import { homedir } from "node:os";
import { basename, dirname, join, posix, resolve, win32 } from "node:path";

/** Where a file store keeps its session: exactly one of both. */
export type FileStoreOptions =
  | {
      /** The session file; relative to the working directory at this moment. Directories are created when saving. */
      readonly path: string;
      readonly appName?: undefined;
    }
  | {
      /**
       * A name of one path segment: the session lives where this system keeps a user's state, in
       * `<state>/<appName>/session.json`.
       */
      readonly appName: string;
      readonly path?: undefined;
    };

/** The names that belong to one session file. */
export interface SessionPaths {
  readonly file: string;
  /** The directory of the session file. */
  readonly parent: string;
  /** The directory of the generations. */
  readonly chain: string;
  /** What `chain` is called while it is being removed. */
  readonly removed: string;
}

/** The names that belong to `file`, which has its symbolic links followed. */
export const pathsOf = (file: string): SessionPaths => ({
  file,
  parent: dirname(file),
  chain: join(dirname(file), `.${basename(file)}.unexpired`),
  removed: join(dirname(file), `.${basename(file)}.unexpired-removed`),
});

/**
 * The absolute path that the options name.
 *
 * @throws TypeError naming the option, the type given and what is accepted
 */
export function sessionFilePath(options: FileStoreOptions): string {
  const { path, appName } = Object(options) as { path?: unknown; appName?: unknown };
  if ((path === undefined) === (appName === undefined)) {
    const given = path === undefined ? "neither" : "both";
    throw new TypeError(`fileStore: give exactly one of "path" and "appName", not ${given}.`);
  }
  if (path === undefined) return stateFilePath(checkAppName(appName), process);
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new TypeError(`fileStore: "path" must be the path of a file, not ${describeType(path)}.`);
  }
  if (/[\\/]$/.test(path)) throw new TypeError('fileStore: "path" must be the path of a file, not of a directory.');
  return resolve(path);
}

const describeType = (value: unknown): string => {
  if (value === null) return "null";
  if (value === "") return "an empty string";
  if (typeof value === "string") return "a string that no path can be";
  return typeof value === "object" ? "an object" : `of type ${typeof value}`;
};

function checkAppName(appName: unknown): string {
  if (typeof appName !== "string" || appName === "") {
    throw new TypeError(`fileStore: "appName" must be a name such as "my-tool", not ${describeType(appName)}.`);
  }
  const isSegment = !/[\\/:*?"<>|\p{Cc}]|[. ]$/u.test(appName);
  if (!isSegment) {
    throw new TypeError(
      'fileStore: "appName" must be one path segment such as "my-tool", not a string with a separator, a reserved character, or a dot or space at its end.',
    );
  }
  return appName;
}

/** Where each system keeps what programs of one user remember. */
export function stateFilePath(
  appName: string,
  system: { readonly platform: NodeJS.Platform; readonly env: NodeJS.ProcessEnv },
): string {
  const { platform, env } = system;
  if (platform === "win32") {
    return win32.join(env.LOCALAPPDATA || win32.join(homedir(), "AppData", "Local"), appName, "session.json");
  }
  if (platform === "darwin") return posix.join(homedir(), "Library", "Application Support", appName, "session.json");
  // The XDG specification has relative paths ignored.
  const xdg = env.XDG_STATE_HOME;
  const state = xdg && posix.isAbsolute(xdg) ? xdg : posix.join(homedir(), ".local", "state");
  return posix.join(state, appName, "session.json");
}
