import { StoreError, UnexpiredError } from "@unexpired/core";

/** Returns Node's error code, or `undefined` if `error` has none. */
export const codeOf = (error: unknown): string | undefined => {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === "string" ? code : undefined;
};

/** Creates an error like those that Node's file functions throw. */
export const errnoError = (code: string): Error => Object.assign(new Error(code), { code });

/** Awaits `task`. Returns `undefined` if it fails because a file or directory does not exist. */
export async function ignoreNotFound<T>(task: Promise<T>): Promise<T | undefined> {
  try {
    return await task;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

const DATA_UNCHANGED = "The stored data is unchanged.";

const READ_ERRORS: Record<string, readonly [problem: string, hint: string]> = {
  EISDIR: ["is a directory, not a file", `Move it away or choose another path. ${DATA_UNCHANGED}`],
  ENOTFILE: ["is not a regular file", `Move it away or choose another path. ${DATA_UNCHANGED}`],
  EACCES: ["is not readable (EACCES)", `Grant this user read access, or choose another path. ${DATA_UNCHANGED}`],
  EPERM: ["is not readable (EPERM)", `Grant this user read access, or choose another path. ${DATA_UNCHANGED}`],
  ELOOP: ["is a circular symbolic link (ELOOP)", "Replace it with a link to a file."],
};

const NO_HARD_LINKS = [
  "cannot be saved: its file system does not support hard links, or this user may not create them",
  `Choose a path on a local file system with hard links. ${DATA_UNCHANGED}`,
] as const;

const WRITE_ERRORS: Record<string, readonly [problem: string, hint: string]> = {
  ENOSPC: ["cannot be saved: the disk is full (ENOSPC)", `Free some space and try again. ${DATA_UNCHANGED}`],
  EDQUOT: ["cannot be saved: the disk quota is used up (EDQUOT)", `Free some space and try again. ${DATA_UNCHANGED}`],
  EROFS: ["cannot be saved: the file system is read-only (EROFS)", `Choose a writable path. ${DATA_UNCHANGED}`],
  EACCES: [
    "cannot be saved: its directory is not writable (EACCES)",
    `Grant this user write access, or choose another path. ${DATA_UNCHANGED}`,
  ],
  EPERM: NO_HARD_LINKS,
  ENOTSUP: NO_HARD_LINKS,
  EOPNOTSUPP: NO_HARD_LINKS,
  ENOSYS: NO_HARD_LINKS,
};

const PATH_ERRORS: Record<string, readonly [problem: string, hint: string]> = {
  ENOTDIR: ["is below a path that is not a directory (ENOTDIR)", "Choose another path."],
  ENAMETOOLONG: ["is too long a path (ENAMETOOLONG)", "Choose a shorter path."],
  NotCapable: [
    "is not accessible: Deno denies this program its directory",
    "Pass --allow-read and --allow-write for the directory.",
  ],
  ERR_ACCESS_DENIED: [
    "is not accessible: Node's permission model denies this program its directory",
    "Pass --allow-fs-read and --allow-fs-write for the directory.",
  ],
  EMFILE: ["cannot be opened: this process has too many files open (EMFILE)", "Close some files and try again."],
};

/** Converts an error of a file function to a `StoreError` about `path`. Returns errors of this library unchanged. */
function toStoreError(error: unknown, path: string, action: "read" | "saved" | "removed"): unknown {
  if (UnexpiredError.is(error)) return error;
  const { name } = Object(error) as { name?: string };
  const code = codeOf(error) ?? (name === "NotCapable" ? name : "no code"); // Deno's error has no code
  const unreadable = action === "read" ? READ_ERRORS[code] : undefined;
  const [problem, hint] = unreadable ??
    (action === "read" ? undefined : WRITE_ERRORS[code]) ??
    PATH_ERRORS[code] ?? [`could not be ${action} (${code})`, `Check the cause and try again. ${DATA_UNCHANGED}`];
  return new StoreError(unreadable ? "STORE_UNREADABLE" : "STORE_UNAVAILABLE", {
    location: path,
    problem,
    hint,
    cause: error,
  });
}

/** Runs `task`, and converts its errors to a `StoreError` about `path`. */
export async function withStoreErrors<T>(
  path: string,
  action: "read" | "saved" | "removed",
  task: () => Promise<T>,
): Promise<T> {
  try {
    return await task();
  } catch (error) {
    throw toStoreError(error, path, action);
  }
}
