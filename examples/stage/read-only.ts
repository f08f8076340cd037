import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** A directory that can be made read-only. */
export interface ReadOnlySwitch extends Disposable {
  set(isReadOnly: boolean): void;
}

/** Creates the directory. For root, which may write anywhere, it is a file system of its own. */
export function readOnlySwitch(directory: string): ReadOnlySwitch {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (process.getuid?.() !== 0) {
    const set = (isReadOnly: boolean) => {
      for (const each of directoriesIn(directory)) chmodSync(each, isReadOnly ? 0o500 : 0o700);
    };
    return { set, [Symbol.dispose]: () => set(false) };
  }
  const mount = (...options: string[]) => execFileSync("mount", [...options, directory], { stdio: "ignore" });
  mount("-t", "tmpfs", "-o", "mode=700", "tmpfs");
  return {
    set: (isReadOnly) => mount("-o", `remount,${isReadOnly ? "ro" : "rw"}`),
    [Symbol.dispose]: () => execFileSync("umount", ["-l", directory]),
  };
}

function directoriesIn(directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  return [
    directory,
    ...entries.filter((entry) => entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name)),
  ];
}
