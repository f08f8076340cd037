import { spawnSync } from "node:child_process";
import { hold } from "../contract.ts";
import type { StoreCase } from "./case.ts";

const UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] as const;

/** Runs a command as the first of a PID namespace of its own, where it gets a pid that nobody has outside. */
function apart(): readonly string[] {
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

/** Whether this user may make namespaces here. */
export const hasNamespaces = (): boolean =>
  process.platform === "linux" && spawnSync(UNSHARE[0], [...UNSHARE.slice(1), "true"]).status === 0;

const elsewhere: StoreCase = {
  name: "takes no holder of another PID namespace for gone",
  needs: ["holders", "processes", "namespaces"],
  async run(scene) {
    const { holder } = await scene.open();
    const other = scene.start({ do: "hold" }, { within: apart() });
    const id = await other.next();
    hold(typeof id === "string", "holder", "A holder in another PID namespace has no id.");
    hold(!(await holder?.isGone(id)), "holder", "isGone() was true for a process that lives in another PID namespace.");
  },
};

export const namespaceCases: readonly StoreCase[] = [elsewhere];
