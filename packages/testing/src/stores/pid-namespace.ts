import { spawnSync } from "node:child_process";

const UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] as const;

/** Returns a command prefix that runs a command in a new PID namespace, with a pid that no process outside has. */
export function inPidNamespace(): readonly string[] {
  const pid =
    Array.from({ length: 1000 }, (_, index) => 31_000 - index).find((candidate) => !isRunning(candidate)) ?? 0;
  const run = `echo ${pid - 1} > /proc/sys/kernel/ns_last_pid 2>/dev/null; "$@"; exit $?`;
  return [...UNSHARE, "sh", "-c", run, "sh"];
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether this user can create PID namespaces on this system. */
export const canCreatePidNamespace = (): boolean =>
  process.platform === "linux" && spawnSync(UNSHARE[0], [...UNSHARE.slice(1), "true"]).status === 0;
