import { errnoError } from "../../packages/store-node/src/fs-errors.ts";
import type { OperatingSystem } from "../../packages/store-node/src/process-identity.ts";
import { HOLDER_FAULTS } from "./faults.ts";
import type { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

/** The operating system as one process sees it: `/proc` on Linux, signal 0 elsewhere. */
export function systemFor(world: World, self: SimulatedProcess): OperatingSystem {
  const { platform, hasContainers } = world.options;
  const { machine, boot, pid, tid } = self;
  const link: Record<string, string> = {
    "/proc/self/ns/pid": `pid:[${machine.name.slice(1)}${boot}]`,
    "/proc/thread-self": `${pid}/task/${tid}`,
  };
  const file: Record<string, string> = {
    "/proc/sys/kernel/random/boot_id": hasContainers ? "host" : `${machine.name}.${boot}`,
    "/proc/thread-self/status": `NStgid:\t${pid}\nNSpid:\t${tid}\n`,
    "/proc/thread-self/stat": statOf(self),
  };
  const read = async (path: string) => {
    const fault = world.faults.draw(HOLDER_FAULTS);
    return self.call(`read ${path}`, () => {
      if (fault) throw errnoError("EMFILE");
      return found(readProc(world, self, path), "ENOENT");
    });
  };
  const probe = (other: number) =>
    void found(
      existing(world, self).find((each) => each.pid === other),
      "ESRCH",
    );
  return {
    platform,
    pid,
    threadId: tid,
    machine: () => machine.name,
    readSync: (path) => found(file[path], "ENOENT"),
    readLinkSync: (path) => found(link[path], "ENOENT"),
    read,
    probe,
  };
}

/** Reads the `stat` file of a process or a thread. */
function readProc(world: World, self: SimulatedProcess, path: string): string | undefined {
  const [, pid, tid] = /^\/proc\/(\d+)(?:\/task\/(\d+))?\/stat$/.exec(path) ?? [];
  const process = existing(world, self).find((each) => each.pid === Number(pid) && (!tid || each.tid === Number(tid)));
  return process && statOf(process);
}

/** The processes of the same machine since the same boot that run, or that their parent has not waited for. */
const existing = ({ processes }: World, { machine, boot }: SimulatedProcess): readonly SimulatedProcess[] =>
  processes.filter((each) => each.machine === machine && each.boot === boot && each.exists);

const STATES = { running: "S", suspended: "T", dead: "Z" } as const;

const statOf = ({ tid, state, startedAt }: SimulatedProcess): string =>
  `${tid} (node) ${STATES[state]} ${"0 ".repeat(18)}${startedAt} 0`;

function found<T>(value: T | undefined, code: string): T {
  if (value === undefined) throw errnoError(code);
  return value;
}
