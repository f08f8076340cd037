import { StoreError, UnexpiredError } from "@unexpired/core";

/** Node's error code, where `error` has one. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

/** An error as Node's file functions throw them. */
export const errnoError = (code: string): Error => Object.assign(new Error(code), { code });

/** What `task` gives, or `undefined` where it found no such file or directory. */
export async function ignoreNotFound<T>(task: Promise<T>): Promise<T | undefined> {
  try {
    return await task;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

const DATA_UNCHANGED = "What is stored was left as it is.";

const READ_ERRORS: Record<string, readonly [problem: string, advice: string]> = {
  EISDIR: ["is a directory, not a file", `Move it away or choose another path. ${DATA_UNCHANGED}`],
  ENOTFILE: ["is not a regular file", `Move it away or choose another path. ${DATA_UNCHANGED}`],
  EACCES: [
    "may not be read (EACCES)",
    `Give this user the right to read it, or choose another path. ${DATA_UNCHANGED}`,
  ],
  EPERM: ["may not be read (EPERM)", `Give this user the right to read it, or choose another path. ${DATA_UNCHANGED}`],
  ELOOP: ["is a symbolic link that leads in a circle (ELOOP)", "Replace the link by one that leads to a file."],
};

const NO_HARD_LINKS = [
  "cannot be saved: the file system there allows no hard links, or this user may not make them",
  `Choose a path on a local file system that has them. ${DATA_UNCHANGED}`,
] as const;

const WRITE_ERRORS: Record<string, readonly [problem: string, advice: string]> = {
  ENOSPC: ["cannot be saved: the disk is full (ENOSPC)", `Free some space and try again. ${DATA_UNCHANGED}`],
  EDQUOT: ["cannot be saved: the disk quota is used up (EDQUOT)", `Free some space and try again. ${DATA_UNCHANGED}`],
  EROFS: [
    "cannot be saved: the file system is read-only (EROFS)",
    `Choose a path that can be written. ${DATA_UNCHANGED}`,
  ],
  EACCES: [
    "cannot be saved: its directory may not be written (EACCES)",
    `Give this user the right to write there, or choose another path. ${DATA_UNCHANGED}`,
  ],
  EPERM: NO_HARD_LINKS,
  ENOTSUP: NO_HARD_LINKS,
  EOPNOTSUPP: NO_HARD_LINKS,
  ENOSYS: NO_HARD_LINKS,
};

const PATH_ERRORS: Record<string, readonly [problem: string, advice: string]> = {
  ENOTDIR: ["lies below something that is not a directory (ENOTDIR)", "Move that away or choose another path."],
  ENAMETOOLONG: ["has too long a name (ENAMETOOLONG)", "Choose a shorter path."],
  EMFILE: ["cannot be opened: this process has too many files open (EMFILE)", "Close some and try again."],
};

/** Turns what a file function threw into a `StoreError` about `path`; our own errors pass. */
function toStoreError(error: unknown, path: string, action: "read" | "saved" | "removed"): unknown {
  if (UnexpiredError.is(error)) return error;
  const code = codeOf(error) ?? "no code";
  const unreadable = action === "read" ? READ_ERRORS[code] : undefined;
  const [problem, advice] = unreadable ??
    (action === "read" ? undefined : WRITE_ERRORS[code]) ??
    PATH_ERRORS[code] ?? [`could not be ${action} (${code})`, `See the cause, and try again. ${DATA_UNCHANGED}`];
  return new StoreError(unreadable ? "STORE_UNREADABLE" : "STORE_UNAVAILABLE", {
    place: path,
    problem,
    advice,
    cause: error,
  });
}

/** Runs `task`; what it throws becomes a `StoreError` about `path`. */
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
