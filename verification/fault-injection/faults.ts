import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** A fault that a process inflicts on itself or on the files, before its next instruction. */
type Fault = (sessionPath: string) => void;

/** A number that a save could not count up from. */
export const ODD_NUMBER = "999999999999999";
const GARBAGE = "\u0000\u0001 not a session {";

/** The chain of generations beside a session file. */
export const chainOf = (sessionPath: string): string =>
  join(dirname(sessionPath), `.${basename(sessionPath)}.unexpired`);

/** The highest generation of a chain, which holds the stored value. */
export function headOf(chain: string): string {
  const numbers = readdirSync(chain).filter((name) => /^\d+$/.test(name));
  return join(chain, String(Math.max(...numbers.map(Number))));
}

const signal = (name: NodeJS.Signals) => () => void process.kill(process.pid, name);

/** Makes every write of this process fail, by the soft limit only, so that it can be lifted again. */
function limitFiles(): void {
  process.on("SIGXFSZ", () => {}); // without a handler the signal ends the process; with one, writes fail with EFBIG
  execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=0:"]);
}

/** Fills the (tiny) file system of the session. */
function fillDisk(sessionPath: string): void {
  for (let size = 65_536; size >= 1; size = Math.floor(size / 2)) {
    try {
      for (;;) writeFileSync(join(dirname(sessionPath), "filler"), Buffer.alloc(size), { flag: "a" });
    } catch {
      // a chunk of this size no longer fits
    }
  }
}

/** Removes a directory atomically: while it is being emptied, other processes could add files to it. */
function removeAtomically(directory: string, sessionPath: string): void {
  const elsewhere = join(dirname(dirname(sessionPath)), "removed");
  renameSync(directory, elsewhere);
  rmSync(elsewhere, { recursive: true });
}

/** Adds a generation with a number that no generation can have. */
const addOddNumber = (path: string): void =>
  writeFileSync(join(chainOf(path), ODD_NUMBER), readFileSync(headOf(chainOf(path))), { mode: 0o600 });

/** All faults by name. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  kill: signal("SIGKILL"),
  stop: signal("SIGSTOP"),
  "stop-past-lease": signal("SIGSTOP"),
  "stop-and-kill": signal("SIGSTOP"),
  none: () => {},
  "limit-files": limitFiles,
  "fill-disk": fillDisk,
  "remove-directory": (path) => removeAtomically(dirname(path), path),
  "remove-chain": (path) => removeAtomically(chainOf(path), path),
  "remove-file": (path) => rmSync(path),
  "forbid-writing": (path) => chmodSync(chainOf(path), 0o500),
  "forbid-directory": (path) => chmodSync(dirname(path), 0o000),
  "forbid-reading": (path) => chmodSync(headOf(chainOf(path)), 0o000),
  "corrupt-file": (path) => writeFileSync(path, GARBAGE),
  "convert-file": (path) => writeFileSync(path, Buffer.from(`\uFEFF${readFileSync(path, "utf8")}`, "utf16le")),
  "mark-file": (path) => writeFileSync(path, `\uFEFF${readFileSync(path, "utf8")}`),
  "blank-file": (path) => writeFileSync(path, "\n"),
  "enlarge-file": (path) => truncateSync(path, 629_145_600),
  "add-odd-number": addOddNumber,
  "truncate-file": (path) => truncateSync(path, 0),
  "tear-file": (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2)),
  "corrupt-head": (path) => writeFileSync(headOf(chainOf(path)), GARBAGE),
};
