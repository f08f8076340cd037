/** Moves the wall clock of a running process with libfaketime; its monotonic clock goes on as before. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Finds the library in the folders in which distributions install it. */
function findLibrary(): string | undefined {
  if (process.platform !== "linux") return undefined;
  const folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].filter((folder) => existsSync(folder));
  const nested = folders.flatMap((folder) => [folder, ...readdirSync(folder).map((name) => join(folder, name))]);
  return nested.map((folder) => join(folder, "faketime", "libfaketimeMT.so.1")).find((file) => existsSync(file));
}

/** Returns why clocks cannot be moved, if they cannot. */
export function faketimeSkipReason(): string | undefined {
  if (process.platform !== "linux") return "not applicable: Linux only";
  return findLibrary() === undefined ? "needs libfaketime" : undefined;
}

/** Returns the environment of a process whose clock `jump` moves: by milliseconds, from the real time. */
export function jumpClock(directory: string) {
  const file = join(directory, "clock");
  const jump = (milliseconds: number) => writeFileSync(file, `+${milliseconds / 1000}`);
  jump(0);
  const env = {
    LD_PRELOAD: findLibrary() ?? "",
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    FAKETIME_DONT_RESET: "1",
  };
  return { env, jump };
}
