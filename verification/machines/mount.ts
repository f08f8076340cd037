/** Mounts that only this program sees. */
import { execFileSync } from "node:child_process";
import { dirname } from "node:path";
import type { Scene } from "./scene.ts";

/** Returns why this program cannot mount, if it cannot. */
export const isMountingImpossible = () =>
  process.argv.includes("--private") ? undefined : "needs root on Linux, for mounts";

export const mount = (...args: string[]): void => void execFileSync("mount", args, { stdio: "ignore" });

/** Mounts a small file system of its own at the session's directory. */
export function mountHome(scene: Scene, options: string): string {
  const home = dirname(scene.file);
  mount("-t", "tmpfs", "-o", options, "tmpfs", home);
  scene.atEnd(() => execFileSync("umount", ["--lazy", home], { stdio: "ignore" }));
  return home;
}
