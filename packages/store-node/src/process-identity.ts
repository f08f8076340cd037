import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { codeOf } from "./fs-errors.ts";

/** This process, as other holders of a session see it. */
export interface ProcessIdentity {
  readonly id: string;
  /** True only where the process with that id has certainly ended; false for an id of elsewhere. */
  isGone(id: string): Promise<boolean>;
}

interface ProcStat {
  readonly state: string;
  /** Clock ticks from boot to the start of the process. */
  readonly startedAt: string;
}

/**
 * Who this process is. On Linux a process is named by boot, namespaces, pid and start time, and a pid that was given to
 * another process is told apart; elsewhere by machine and pid. `undefined` where Linux does not say.
 */
export const currentProcess = (): ProcessIdentity | undefined =>
  process.platform === "linux" ? linuxProcess() : machineProcess();

const createIdentity = (
  scope: string,
  self: string,
  isGoneInScope: (rest: string) => boolean | Promise<boolean>,
): ProcessIdentity => ({
  id: `${scope}/${self}`,
  isGone: async (id) => id.startsWith(`${scope}/`) && isGoneInScope(id.slice(scope.length + 1)),
});

function linuxProcess(): ProcessIdentity | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const scope = `linux/${boot}/${namespaceId("pid")}/${namespaceId("time")}`;
    const own = parseProcStat(readFileSync(`/proc/${process.pid}/stat`, "utf8"));
    return own && createIdentity(scope, `${process.pid}/${own.startedAt}`, isGoneOnLinux);
  } catch {
    return undefined;
  }
}

/** Start times differ between time namespaces, and a kernel may have none. */
function namespaceId(kind: "pid" | "time"): string {
  try {
    return readlinkSync(`/proc/self/ns/${kind}`).replace(/\D/g, "");
  } catch (error) {
    if (kind === "time" && codeOf(error) === "ENOENT") return "0";
    throw error;
  }
}

async function isGoneOnLinux(self: string): Promise<boolean> {
  const [, pid, startedAt] = /^([1-9]\d{0,9})\/(\d+)$/.exec(self) ?? [];
  if (pid === undefined) return false;
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // /proc may hide other users' processes; a signal does not overlook them.
  if (text === undefined) return hasNoProcess(Number(pid));
  const status = parseProcStat(text);
  if (!status) return false;
  return status.startedAt !== startedAt || status.state === "Z" || status.state === "X";
}

/** The fields after the command, which is in parentheses and may hold spaces and parentheses itself. */
export function parseProcStat(text: string): ProcStat | undefined {
  const fields = text
    .slice(text.lastIndexOf(")") + 1)
    .trim()
    .split(/\s+/);
  const [state, startedAt] = [fields[0], fields[19]];
  return state && startedAt && /^\d+$/.test(startedAt) ? { state, startedAt } : undefined;
}

function machineProcess(): ProcessIdentity {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ mac }) => mac));
  const machine = [hostname(), ...[...new Set(addresses)].sort()].join(" ");
  const scope = `${process.platform}/${createHash("sha256").update(machine).digest("base64url")}`;
  return createIdentity(
    scope,
    String(process.pid),
    (self) => /^[1-9]\d{0,9}$/.test(self) && hasNoProcess(Number(self)),
  );
}

function hasNoProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === "ESRCH";
  }
}
