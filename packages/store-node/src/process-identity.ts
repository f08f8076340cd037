import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { codeOf } from "./fs-errors.ts";
import { isPermitted } from "./permissions.ts";

/** Identifies this process to others that share the session, and detects that one of them has ended. */
export interface ProcessIdentity {
  readonly id: string;
  /** Whether the process with this id has certainly ended. Always false for an id of another machine or namespace. */
  isGone(id: string): Promise<boolean>;
}

interface ProcStat {
  readonly state: string;
  /** Start of the process, in clock ticks since boot. */
  readonly startedAt: string;
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/**
 * Returns the identity of this process. On Linux it consists of boot ID, namespaces, pid and start time, so that a
 * reused pid is recognized; on other systems of machine and pid. Returns `undefined` if the system does not provide
 * these, or if this program may not read them.
 */
export function currentProcess(): ProcessIdentity | undefined {
  if (!isPermitted("read", BOOT_ID) || !isPermitted("sys") || !isPermitted("run")) return undefined;
  try {
    return process.platform === "linux" ? linuxProcess() : machineProcess();
  } catch {
    return undefined;
  }
}

const createIdentity = (
  scope: string,
  self: string,
  isGoneInScope: (self: string) => boolean | Promise<boolean>,
): ProcessIdentity => ({
  id: `${scope}/${self}`,
  isGone: async (id) => id.startsWith(`${scope}/`) && isGoneInScope(id.slice(scope.length + 1)),
});

function linuxProcess(): ProcessIdentity | undefined {
  const boot = readFileSync(BOOT_ID, "utf8").trim();
  const scope = `linux/${boot}/${namespaceId("pid")}/${namespaceId("time")}`;
  const own = parseProcStat(readFileSync(`/proc/${process.pid}/stat`, "utf8"));
  return own && createIdentity(scope, `${process.pid}/${own.startedAt}`, isGoneOnLinux);
}

/** Includes the time namespace, because start times depend on it. A kernel may not support time namespaces. */
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
  // /proc may hide other users' processes; sending signal 0 finds them.
  if (text === undefined) return hasNoProcess(Number(pid));
  const status = parseProcStat(text);
  if (!status) return false;
  return status.startedAt !== startedAt || status.state === "Z" || status.state === "X";
}

/** Parses the fields after the command name, which is in parentheses and may itself contain spaces and parentheses. */
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
