import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { threadId } from "node:worker_threads";
import type { TokenStore } from "@unexpired/core";
import { codeOf } from "./fs-errors.ts";
import { isPermitted } from "./permissions.ts";

/** Identifies this thread to others that share the session, and tells what became of them. */
export type ProcessIdentity = NonNullable<TokenStore["holder"]>;

type HolderStatus = Awaited<ReturnType<ProcessIdentity["statusOf"]>>;

/** The parts of the operating system that identify threads. */
export interface OperatingSystem {
  readonly platform: string;
  readonly pid: number;
  /** The number of this thread within its process, for systems without `/proc`. */
  readonly threadId: number;
  /** Identifies the machine, for systems without `/proc`. */
  machine(): string;
  readSync(path: string): string;
  readLinkSync(path: string): string;
  read(path: string): Promise<string>;
  /** Sends signal 0: throws an error with the code `ESRCH` if there is no such process. */
  probe(pid: number): void;
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/**
 * Returns the identity of this thread. On Linux it consists of boot ID, namespaces, pid, thread and the thread's start
 * time, so that a reused pid and a terminated worker thread are recognized; on other systems of machine, pid and
 * thread, and no process is ever `alive`. Returns `undefined` if the system does not provide these, or if this program
 * may not read them.
 */
export function currentProcess(): ProcessIdentity | undefined {
  const isAllowed = isPermitted("read", BOOT_ID) && isPermitted("sys") && isPermitted("run");
  return isAllowed ? identityOn(nodeSystem) : undefined;
}

/** Returns the identity of the calling thread on the given system. */
export function identityOn(system: OperatingSystem): ProcessIdentity | undefined {
  try {
    return system.platform === "linux" ? linuxIdentity(system) : portableIdentity(system);
  } catch {
    return undefined;
  }
}

const nodeSystem: OperatingSystem = {
  platform: process.platform,
  pid: process.pid,
  threadId,
  machine() {
    const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ mac }) => mac));
    return [hostname(), ...[...new Set(addresses)].sort()].join(" ");
  },
  readSync: (path) => readFileSync(path, "utf8"),
  readLinkSync: (path) => readlinkSync(path),
  read: (path) => readFile(path, "utf8"),
  probe: (pid) => void process.kill(pid, 0),
};

function linuxIdentity(system: OperatingSystem): ProcessIdentity | undefined {
  const boot = system.readSync(BOOT_ID).trim();
  const scope = `linux/${boot}/${namespaceId(system, "pid")}/${namespaceId(system, "time")}`;
  const self = ownThread(system);
  if (self === undefined) return undefined;
  const identity = createIdentity(scope, self, (other) => statusOnLinux(other, system));
  return { ...identity, describe: (id) => describeOnLinux(id.slice(scope.length + 1), system) };
}

const createIdentity = (
  scope: string,
  self: string,
  statusInScope: (self: string) => HolderStatus | Promise<HolderStatus>,
): ProcessIdentity => ({
  id: `${scope}/${self}`,
  statusOf: async (id) => (id.startsWith(`${scope}/`) ? statusInScope(id.slice(scope.length + 1)) : "unknown"),
});

/** Includes the time namespace, because start times depend on it. A kernel may not support time namespaces. */
function namespaceId({ readLinkSync }: OperatingSystem, kind: "pid" | "time"): string {
  try {
    return readLinkSync(`/proc/self/ns/${kind}`).replace(/\D/g, "");
  } catch (error) {
    if (kind === "time" && isNotFound(error)) return "0";
    throw error;
  }
}

/**
 * Returns pid, thread and start time of this thread, or `undefined` if `/proc` belongs to another PID namespace, where
 * our pid names another process, or none. Seen from a parent namespace, a process has several pids.
 */
function ownThread({ pid, readLinkSync, readSync }: OperatingSystem): string | undefined {
  const [, tid] = new RegExp(`^${pid}/task/(\\d+)$`).exec(readLinkSync("/proc/thread-self")) ?? [];
  const isNested = /^NStgid:\s*\d+\s+\d/m.test(readSync("/proc/thread-self/status"));
  const stat = parseProcStat(readSync("/proc/thread-self/stat"));
  return tid && stat && !isNested ? `${pid}/${tid}/${stat.startedAt}` : undefined;
}

/** A thread's pid, its own id and its start time. */
const parseThread = (self: string): readonly string[] => /^([1-9]\d{0,9})\/([1-9]\d{0,9})\/(\d+)$/.exec(self) ?? [];

async function statusOnLinux(self: string, system: OperatingSystem): Promise<HolderStatus> {
  const [, pid, tid, startedAt] = parseThread(self);
  if (pid === undefined) return "unknown";
  const text = await readIfFound(`/proc/${pid}/task/${tid}/stat`, system);
  if (text === undefined) {
    // /proc may hide other users' processes; signal 0 finds them
    const isThreadGone = (await readIfFound(`/proc/${pid}/stat`, system)) !== undefined;
    return isThreadGone || hasNoProcess(Number(pid), system) ? "gone" : "unknown";
  }
  const stat = parseProcStat(text);
  if (!stat) return "unknown";
  return stat.startedAt !== startedAt || stat.state === "Z" || stat.state === "X" ? "gone" : "alive";
}

async function describeOnLinux(self: string, system: OperatingSystem): Promise<string> {
  const [, pid, tid] = parseThread(self);
  const state = parseProcStat(await system.read(`/proc/${pid}/task/${tid}/stat`))?.state ?? "";
  const stopped = { T: ` (stopped; "kill -CONT ${pid}" continues it)`, t: " (stopped by a debugger)" }[state] ?? "";
  return `${tid === pid ? "" : `thread ${tid} of `}process ${pid}${stopped}`;
}

/** Returns `undefined` if there is no such file. Any other failure says nothing about the process, and is thrown. */
const readIfFound = (path: string, { read }: OperatingSystem): Promise<string | undefined> =>
  read(path).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });

/** A process that ends while its file is being read causes ESRCH. */
const isNotFound = (error: unknown): boolean => ["ENOENT", "ESRCH"].includes(codeOf(error) ?? "");

interface ProcStat {
  readonly state: string;
  /** Start of the process or thread, in clock ticks since boot. */
  readonly startedAt: string;
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

/** Without start times, a process that exists may be another one with the same pid. */
function portableIdentity(system: OperatingSystem): ProcessIdentity {
  const scope = `${system.platform}/${createHash("sha256").update(system.machine()).digest("base64url")}`;
  return createIdentity(scope, `${system.pid}/${system.threadId}`, (self) => {
    const [, pid] = /^([1-9]\d{0,9})\/\d+$/.exec(self) ?? [];
    return pid !== undefined && hasNoProcess(Number(pid), system) ? "gone" : "unknown";
  });
}

function hasNoProcess(pid: number, { probe }: OperatingSystem): boolean {
  try {
    probe(pid);
    return false;
  } catch (error) {
    return codeOf(error) === "ESRCH";
  }
}
