import { spawnSync } from "node:child_process";

const UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] as const;

/** A command that runs another one in a PID namespace of its own, where it gets a pid that nobody has outside. */
export function apart(): readonly string[] {
  const pid = Array.from({ length: 1000 }, (_, index) => 31_000 - index).find((candidate) => !isThere(candidate)) ?? 0;
  const run = `echo ${pid - 1} > /proc/sys/kernel/ns_last_pid 2>/dev/null; "$@"; exit $?`;
  return [...UNSHARE, "sh", "-c", run, "sh"];
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether this user may make such namespaces here. */
export const canStartApart = (): boolean =>
  process.platform === "linux" && spawnSync(UNSHARE[0], [...UNSHARE.slice(1), "true"]).status === 0;
