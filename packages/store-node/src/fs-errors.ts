import { type StoredValue, StoreError, UnexpiredError } from "@unexpired/core";
import { ownerAdvice } from "./ownership.ts";

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

type Action = "read" | "saved" | "removed";
type Explanation = readonly [problem: string, hint: string];

const READ_ERRORS: Record<string, Explanation> = {
  EISDIR: ["is a directory, not a file", `Move it away or choose another path. ${DATA_UNCHANGED}`],
  ENOTFILE: ["is not a regular file", `Move it away or choose another path. ${DATA_UNCHANGED}`],
  ENXIO: ["is a socket or a device, not a file", `Move it away or choose another path. ${DATA_UNCHANGED}`],
  ETOOLARGE: ["is larger than 1 MiB, so it is not a session", `Move it away or choose another path. ${DATA_UNCHANGED}`],
  EACCES: ["is not readable (EACCES)", `Grant this user read access, or choose another path. ${DATA_UNCHANGED}`],
  EPERM: [
    "is not readable: the system does not permit it (EPERM)",
    `Allow this process to read it, for example in the settings of its sandbox. ${DATA_UNCHANGED}`,
  ],
  ELOOP: ["is a circular symbolic link (ELOOP)", "Replace it with a link to a file."],
};

const NO_HARD_LINKS: Explanation = [
  "its file system does not support hard links, or this process may not create them",
  `Choose a path on a local file system with hard links. ${DATA_UNCHANGED}`,
];
const NO_ROOM_FOR_FILES: Explanation = [
  "its file system has no room for another file (ENOSPC)",
  `Delete some files, because there may be free space but no free inode (see \`df -i\`), and try again. ${DATA_UNCHANGED}`,
];

/** Explanations by error code and, if the call matters, by the system call that failed. Each completes "cannot be …:". */
const WRITE_ERRORS: Record<string, Explanation> = {
  ENOSPC: ["the disk is full (ENOSPC)", `Free some space and try again. ${DATA_UNCHANGED}`],
  "ENOSPC open": NO_ROOM_FOR_FILES,
  "ENOSPC mkdir": NO_ROOM_FOR_FILES,
  "ENOSPC link": NO_ROOM_FOR_FILES,
  EDQUOT: [
    "the disk quota is used up (EDQUOT)",
    `Free some space, or delete some files, and try again. ${DATA_UNCHANGED}`,
  ],
  EROFS: ["the file system is read-only (EROFS)", `Choose a writable path. ${DATA_UNCHANGED}`],
  ETOOLARGE: ["it is larger than 1 MiB", `Store less with the session. ${DATA_UNCHANGED}`],
  EACCES: [
    "its directory is not writable (EACCES)",
    `Grant this user write access, or choose another path. ${DATA_UNCHANGED}`,
  ],
  "EACCES link": NO_HARD_LINKS,
  EPERM: [
    "the system does not permit it (EPERM)",
    `Allow this process to write there, for example in the settings of its sandbox, or choose another path. ${DATA_UNCHANGED}`,
  ],
  "EPERM link": NO_HARD_LINKS,
  ENOTSUP: NO_HARD_LINKS,
  EOPNOTSUPP: NO_HARD_LINKS,
  ENOSYS: NO_HARD_LINKS,
};

const PATH_ERRORS: Record<string, Explanation> = {
  ENOTDIR: [
    "is below a path that is not a directory, or that is a link to a missing one (ENOTDIR)",
    "Create the directory that the link points to, move away the file that is in its place, or choose another path.",
  ],
  ENAMETOOLONG: [
    "has too long a name (ENAMETOOLONG)",
    "Choose a shorter one: the directories beside the file have names that are 19 bytes longer.",
  ],
  NotCapable: [
    "is not accessible: this program has no permission for its directory (Deno)",
    "Pass --allow-read and --allow-write for the directory.",
  ],
  ERR_ACCESS_DENIED: [
    "is not accessible: this program has no permission for its directory (Node's permission model)",
    "Pass --allow-fs-read and --allow-fs-write for the directory.",
  ],
  EMFILE: ["cannot be opened: this process has too many files open (EMFILE)", "Close some files and try again."],
  ENFILE: ["cannot be opened: the system has too many files open (ENFILE)", "Close some files and try again."],
};

function explain(error: unknown, code: string, action: Action): Explanation {
  const other = PATH_ERRORS[code] ?? [`could not be ${action} (${code})`, "Check the cause and try again."];
  if (action === "read") return READ_ERRORS[code] ?? other;
  const { syscall } = Object(error) as { syscall?: unknown };
  const written = WRITE_ERRORS[`${code} ${syscall}`] ?? WRITE_ERRORS[code];
  return written ? [`cannot be ${action}: ${written[0]}`, written[1]] : other;
}

/** Converts an error of a file function to a `StoreError` about `path`. Returns errors of this library unchanged. */
function toStoreError(error: unknown, path: string, action: Action): unknown {
  if (UnexpiredError.is(error)) return error;
  const { name } = Object(error) as { name?: string };
  const code = codeOf(error) ?? (name === "NotCapable" ? name : "no code"); // Deno's error has no code
  const isUnreadable = action === "read" && code in READ_ERRORS;
  const [problem, hint] = explain(error, code, action);
  const owner = ["EACCES", "EPERM"].includes(code) ? ownerAdvice(error, path) : undefined;
  const fullHint = owner ? `${owner.hint} ${DATA_UNCHANGED}` : hint;
  return new StoreError(isUnreadable ? "STORE_UNREADABLE" : "STORE_UNAVAILABLE", {
    location: path,
    problem: owner ? `${problem}: ${owner.problem}` : problem,
    // A removal may have ended the session before it failed.
    hint: action === "removed" ? fullHint.replace(` ${DATA_UNCHANGED}`, "") : fullHint,
    cause: error,
  });
}

/** Runs `task`, and converts its errors to a `StoreError` about `path`. */
export async function withStoreErrors<T>(path: string, action: Action, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    throw toStoreError(error, path, action);
  }
}

/** Whether a read failed because there is no file: there is something else in its place, such as a pipe. */
export const isNoFile = (error: unknown): boolean =>
  ["EISDIR", "ENOTFILE", "ENXIO", "ELOOP"].includes(codeOf(error) ?? "");

/** Whether what could not be read is certainly no session, rather than out of reach. */
export const isNoSession = ({ cause }: StoreError): boolean => isNoFile(cause) || codeOf(cause) === "ETOOLARGE";

/** The state of a session file that holds no session or cannot be read, and the session that it hides. */
interface HiddenSession {
  readonly paths: { readonly chain: string };
  readonly stored: StoredValue | undefined;
  readonly failure?: StoreError | undefined;
}

/**
 * Creates the error about a session file that holds no session or cannot be read. The chain is intact, but another
 * program may have rotated its refresh token and spoiled the file while saving.
 */
export function noSessionError(location: string, { paths, stored, failure }: HiddenSession): StoreError {
  const isDirectory = codeOf(failure?.cause) === "EISDIR";
  const replaced = isDirectory ? "" : ", or sign in again; that replaces the file";
  const isHere = `The last session is still in ${paths.chain}.`;
  return new StoreError("STORE_UNREADABLE", {
    location,
    problem: failure?.problem ?? "does not contain a session",
    hint:
      failure && !isNoSession(failure)
        ? `${failure.hint} ${isHere}`
        : `${isHere} ${isDirectory ? "Move the directory away" : "Delete the file"} to continue with it${replaced}.`,
    version: stored?.version,
    stored: stored && (() => stored.value),
    cause: failure?.cause,
  });
}

/** Creates the error about a session file that other machines or containers see without its chain. */
export const mountedError = (location: string): StoreError =>
  new StoreError("STORE_UNAVAILABLE", {
    location,
    problem: "is mounted as a single file, so the host and other containers would not see what changes here",
    hint: 'Mount its directory instead, or give the same "stateDirectory" to every process, on a mount that they share.',
  });
