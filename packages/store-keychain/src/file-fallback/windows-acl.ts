import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, win32 } from "node:path";
import { promisify } from "node:util";
import { StoreError } from "@unexpired/core";

/** Runs one of Windows' own programs and returns its output. */
export type RunProgram = (program: "icacls" | "whoami", args: readonly string[]) => Promise<string>;

const PROGRAM_TIMEOUT = 10_000; // ms; they take about 50

/**
 * Runs a program by its path in the Windows directory: without a shell, and never a namesake in the working directory.
 */
export const runSystemProgram: RunProgram = async (program, args) => {
  const path = win32.join(process.env.SystemRoot || "C:\\Windows", "System32", `${program}.exe`);
  const { stdout } = await promisify(execFile)(path, [...args], { timeout: PROGRAM_TIMEOUT, windowsHide: true });
  return stdout;
};

const SYSTEM = "S-1-5-18";
const ADMINISTRATORS = "S-1-5-32-544";
/**
 * The SDDL names of the trustees that may read besides the user: SYSTEM, Administrators and the local administrator
 * (LA), who can read everything anyway, and the entries that represent the owner (CREATOR OWNER, OWNER RIGHTS).
 */
const ALLOWED_SIDS: readonly string[] = ["SY", SYSTEM, "BA", ADMINISTRATORS, "LA", "CO", "S-1-3-0", "OW", "S-1-3-4"];

/**
 * Restricts a directory so that files created in it belong to this user only: checks its access control list and, if
 * that grants access to others, replaces it with an uninherited one.
 *
 * @throws StoreError if the list cannot be read or replaced
 */
export async function restrictToOwner(directory: string, run: RunProgram = runSystemProgram): Promise<void> {
  try {
    const ownSid = parseOwnSid(await run("whoami", ["/user", "/fo", "csv", "/nh"]));
    if ((await unexpectedGrantees(directory, { ownSid, run })).length === 0) return;
    const full = [ownSid, SYSTEM, ADMINISTRATORS].map((sid) => `*${sid}:(OI)(CI)F`);
    await run("icacls", [directory, "/reset"]); // removes the entries that are not inherited
    await run("icacls", [directory, "/inheritance:r", "/grant:r", ...full]);
    const left = await unexpectedGrantees(directory, { ownSid, run });
    if (left.length > 0) throw new Error(`it still grants access to ${left.join(", ")}`);
  } catch (error) {
    throw new StoreError("STORE_UNAVAILABLE", {
      location: directory,
      problem: "cannot be protected from other users, because icacls or whoami failed",
      hint: `No session was written there. Run icacls "${directory}" and remove the access of other users, or choose a path in your profile.`,
      cause: error,
    });
  }
}

/** Reads the identifier only, which is ASCII; the user name before it is in the code page of the console. */
function parseOwnSid(csv: string): string {
  const [, sid] = /"(S-1-[\d-]+)"\s*$/.exec(csv) ?? [];
  if (sid === undefined) throw new Error("whoami printed no security identifier");
  return sid;
}

/** Returns the trustees that have access to the directory but should not. */
async function unexpectedGrantees(
  directory: string,
  { ownSid, run }: { readonly ownSid: string; readonly run: RunProgram },
): Promise<readonly string[]> {
  const scratch = await mkdtemp(join(tmpdir(), "unexpired-acl-"));
  try {
    // icacls prints in the user's language, but saves SDDL, in UTF-16.
    const path = join(scratch, "acl");
    await run("icacls", [directory, "/save", path]);
    return grantees(await readFile(path, "utf16le")).filter((sid) => sid !== ownSid && !ALLOWED_SIDS.includes(sid));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Returns the trustees with any kind of access. Every entry counts except a plain denial. */
function grantees(sddl: string): readonly string[] {
  const [, list] = /(?:^|\s)D:([^\r\n]*)/.exec(sddl) ?? [];
  if (list === undefined) throw new Error("icacls saved no access control list");
  // Without a list, everyone has access.
  if (list.includes("NO_ACCESS_CONTROL")) return ["WD"];
  const entries = list.matchAll(/\((\w+);[^;]*;[^;]*;[^;]*;[^;]*;([^;()]*)/g);
  return [...entries].filter(([, type]) => type !== "D").map(([, , sid = ""]) => sid);
}
