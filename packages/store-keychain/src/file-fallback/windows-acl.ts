import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, win32 } from "node:path";
import { promisify } from "node:util";
import { StoreError } from "@unexpired/core";

/** Runs one of Windows' own programs and resolves to what it prints. */
export type RunProgram = (program: "icacls" | "whoami", args: readonly string[]) => Promise<string>;

const PROGRAM_TIMEOUT = 10_000; // ms; they take some 50

/** Runs it where Windows has it: not through a shell, and not what lies in the working directory under that name. */
export const runSystemProgram: RunProgram = async (program, args) => {
  const path = win32.join(process.env.SystemRoot || "C:\\Windows", "System32", `${program}.exe`);
  const { stdout } = await promisify(execFile)(path, [...args], { timeout: PROGRAM_TIMEOUT, windowsHide: true });
  return stdout;
};

const SYSTEM = "S-1-5-18";
const ADMINISTRATORS = "S-1-5-32-544";
/**
 * Who may read besides the user, as SDDL names them: SYSTEM, Administrators and the first of them (LA), who read
 * everything anyway, and the entries that stand for the owner (CREATOR OWNER, OWNER RIGHTS).
 */
const ALLOWED_SIDS: readonly string[] = ["SY", SYSTEM, "BA", ADMINISTRATORS, "LA", "CO", "S-1-3-0", "OW", "S-1-3-4"];

/**
 * Sees to it that what is created in a directory is for this user only: looks at the list that it inherits, and where
 * that lets others in replaces it by one of its own.
 *
 * @throws StoreError where that cannot be known or done
 */
export async function restrictToOwner(directory: string, run: RunProgram = runSystemProgram): Promise<void> {
  try {
    const ownSid = parseOwnSid(await run("whoami", ["/user", "/fo", "csv", "/nh"]));
    if ((await unexpectedGrantees(directory, { ownSid, run })).length === 0) return;
    const full = [ownSid, SYSTEM, ADMINISTRATORS].map((sid) => `*${sid}:(OI)(CI)F`);
    await run("icacls", [directory, "/reset"]); // takes away what is not inherited
    await run("icacls", [directory, "/inheritance:r", "/grant:r", ...full]);
    const left = await unexpectedGrantees(directory, { ownSid, run });
    if (left.length > 0) throw new Error(`it still lets in ${left.join(", ")}`);
  } catch (error) {
    throw new StoreError("STORE_UNAVAILABLE", {
      location: directory,
      problem: "cannot be kept from other users: icacls or whoami did not do what was asked",
      hint: `No session was written there. See what icacls "${directory}" says and take others' rights away, or choose a path in your profile.`,
      cause: error,
    });
  }
}

/** The user name before it is in the code page of the console; the identifier is ASCII. */
function parseOwnSid(csv: string): string {
  const [, sid] = /"(S-1-[\d-]+)"\s*$/.exec(csv) ?? [];
  if (sid === undefined) throw new Error("whoami told no security identifier");
  return sid;
}

/** Whom the directory's list lets in and should not. */
async function unexpectedGrantees(
  directory: string,
  { ownSid, run }: { readonly ownSid: string; readonly run: RunProgram },
): Promise<readonly string[]> {
  const scratch = await mkdtemp(join(tmpdir(), "unexpired-acl-"));
  try {
    // What icacls prints is in the user's language; what it saves is SDDL, in UTF-16.
    const path = join(scratch, "acl");
    await run("icacls", [directory, "/save", path]);
    return grantees(await readFile(path, "utf16le")).filter((sid) => sid !== ownSid && !ALLOWED_SIDS.includes(sid));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Who is let in by the list of a security descriptor, whatever for. Whatever is not a plain denial counts. */
function grantees(sddl: string): readonly string[] {
  const [, list] = /(?:^|\s)D:([^\r\n]*)/.exec(sddl) ?? [];
  if (list === undefined) throw new Error("icacls saved no list");
  // No list at all is one that lets everybody in.
  if (list.includes("NO_ACCESS_CONTROL")) return ["WD"];
  const entries = list.matchAll(/\((\w+);[^;]*;[^;]*;[^;]*;[^;]*;([^;()]*)/g);
  return [...entries].filter(([, type]) => type !== "D").map(([, , sid = ""]) => sid);
}
