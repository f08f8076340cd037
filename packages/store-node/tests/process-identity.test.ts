import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { errnoError } from "../src/fs-errors.ts";
import { identityOn, type OperatingSystem, type ProcessIdentity, parseProcStat } from "../src/process-identity.ts";
import { exit, message, start } from "./support.ts";

const none: ProcessIdentity = { id: "", statusOf: async () => "unknown" };
const { holder: identity = none } = fileStore({ path: "/nowhere/session.json" });
const parts = identity.id.split("/");
const idWith = (changes: Record<number, string>): string =>
  parts.map((part, index) => changes[index] ?? part).join("/");
const [PLATFORM, BOOT, PID_NAMESPACE, TIME_NAMESPACE, PID, THREAD, START] = [0, 1, 2, 3, 4, 5, 6] as const;

it("is the same for all stores of a thread, which is not gone", async () => {
  expect(fileStore({ path: "/elsewhere/session.json" }).holder?.id).toBe(identity.id);
  expect(await identity.statusOf(identity.id)).not.toBe("gone");
});

describe.skipIf(process.platform !== "linux")("on Linux", () => {
  const startOf = (path: string): string => parseProcStat(readFileSync(path, "utf8"))?.startedAt ?? "";
  const idOf = (pid: number): string =>
    idWith({ [PID]: `${pid}`, [THREAD]: `${pid}`, [START]: startOf(`/proc/${pid}/stat`) });

  it("reports a running or stopped process as alive, names it, and reports a killed one as gone", async () => {
    const child = start("idle");
    await message(child);
    const pid = child.pid ?? 0;
    const id = idOf(pid);
    expect(await identity.statusOf(id)).toBe("alive");
    expect(await identity.describe?.(id)).toBe(`process ${pid}`);
    child.kill("SIGSTOP");
    await expect.poll(() => identity.describe?.(id)).toBe(`process ${pid} (stopped; "kill -CONT ${pid}" continues it)`);
    expect(await identity.statusOf(id)).toBe("alive");
    child.kill("SIGKILL");
    await exit(child);
    expect(await identity.statusOf(id)).toBe("gone");
  });

  it("reports a zombie process as gone", async () => {
    // `sleep` becomes the parent of a child that ends with its input, and never waits for it.
    const script = "exec 3<&0; cat <&3 >&2 & echo $!; exec sleep 60 3<&-";
    const parent = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    onTestFinished(() => void parent.kill("SIGKILL"));
    const pid = Number(String(await new Promise((resolve) => parent.stdout.once("data", resolve))));
    await expect.poll(() => readFileSync(`/proc/${parent.pid}/comm`, "utf8")).toBe("sleep\n");
    const id = idOf(pid);
    parent.stdin.end();
    await expect.poll(() => parseProcStat(readFileSync(`/proc/${pid}/stat`, "utf8"))?.state).toBe("Z");
    expect(await identity.statusOf(id)).toBe("gone");
  });

  it("names the worker thread, and reports it as gone once it is terminated", async () => {
    const source = new URL("fixtures/thread.ts", import.meta.url);
    const thread = new Worker(source);
    const id = await new Promise<string>((resolve) => thread.once("message", resolve));
    expect(id.split("/")[PID]).toBe(`${process.pid}`);
    expect(id.split("/")[THREAD]).not.toBe(`${process.pid}`);
    expect(await identity.statusOf(id)).toBe("alive");
    expect(await identity.describe?.(id)).toBe(`thread ${id.split("/")[THREAD]} of process ${process.pid}`);
    await thread.terminate();
    expect(await identity.statusOf(id)).toBe("gone");
  });

  it("has no identity in a PID namespace whose /proc is that of its parent", ({ skip }) => {
    const unshare = (...args: string[]) => spawnSync("unshare", ["--pid", "--fork", ...args], { encoding: "utf8" });
    skip(unshare("true").status !== 0, "not applicable: this user cannot create a PID namespace");
    const fixture = join(import.meta.dirname, "fixtures/holder-id.ts");
    expect(unshare(process.execPath, fixture).stdout).toBe("undefined\n");
    expect(unshare("--mount-proc", process.execPath, fixture).stdout).toMatch(/^linux\//);
  });

  it.each([
    ["another start time, because the pid was reused", { [START]: "1" }, "gone"],
    ["a pid that does not exist", { [PID]: "4194305", [THREAD]: "4194305" }, "gone"],
    ["a thread that does not exist", { [THREAD]: "4194305" }, "gone"],
    ["another boot", { [BOOT]: "00000000-0000-0000-0000-000000000000", [PID]: "4194305" }, "unknown"],
    ["another PID namespace", { [PID_NAMESPACE]: "1", [PID]: "4194305" }, "unknown"],
    ["another PID namespace, and our own pid", { [PID_NAMESPACE]: "1" }, "unknown"],
    ["another time namespace", { [TIME_NAMESPACE]: "1", [START]: "1" }, "unknown"],
    ["another system", { [PLATFORM]: "darwin", [PID]: "4194305" }, "unknown"],
    ["an invalid pid", { [PID]: "x" }, "unknown"],
    ["pid 0", { [PID]: "0" }, "unknown"],
    ["thread 0", { [THREAD]: "0" }, "unknown"],
    ["a trailing segment", { [START]: "1/2" }, "unknown"],
  ])("tells what became of a process from an id with %s", async (_name, changes, status) => {
    expect(await identity.statusOf(idWith(changes))).toBe(status);
  });

  it.each(["", "x", "linux", identity.id.slice(0, 20)])("cannot tell anything from an invalid id (%j)", async (id) => {
    expect(await identity.statusOf(id)).toBe("unknown");
  });
});

it("parses a stat line whose command name contains parentheses", () => {
  const fields = Array.from({ length: 30 }, (_, index) => index + 4).join(" ");
  expect(parseProcStat(`12 (a) Z (b c) S ${fields}`)).toEqual({ state: "S", startedAt: "22" });
  expect(parseProcStat("12 (a) S 1 2")).toBeUndefined();
});

const stat = (state: string, startedAt: number): string =>
  `7 (node) ${state} ${Array.from({ length: 18 }, () => 0).join(" ")} ${startedAt} 0`;

/** A Linux system with these files, in which our pid is 7. A file that is an error code cannot be read. */
function linuxWith(more: Record<string, string | undefined> = {}, pids: readonly number[] = [7, 8]): OperatingSystem {
  const files: Record<string, string | undefined> = {
    "/proc/sys/kernel/random/boot_id": "boot\n",
    "/proc/self/ns/pid": "pid:[1]",
    "/proc/self/ns/time": "time:[2]",
    "/proc/thread-self": "7/task/7",
    "/proc/thread-self/status": "Name:\tnode\nNStgid:\t7\nNSpid:\t7\n",
    "/proc/thread-self/stat": stat("R", 100),
    ...more,
  };
  const readSync = (path: string) => {
    const text = files[path] ?? "ENOENT";
    if (/^E[A-Z]+$/.test(text)) throw errnoError(text);
    return text;
  };
  const probe = (pid: number) => {
    if (!pids.includes(pid)) throw errnoError("ESRCH");
    if (pid !== 7) throw errnoError("EPERM");
  };
  const machine = () => "here";
  return {
    platform: "linux",
    pid: 7,
    threadId: 0,
    machine,
    readSync,
    readLinkSync: readSync,
    read: async (path) => readSync(path),
    probe,
  };
}

const SELF = "linux/boot/1/2/7/7/100";
const THEIRS = "linux/boot/1/2/8/9/200";

describe("on a Linux system with", () => {
  it("a /proc of its own, names boot, namespaces, pid, thread and start time", () => {
    expect(identityOn(linuxWith())?.id).toBe(SELF);
    expect(identityOn(linuxWith({ "/proc/self/ns/time": undefined }))?.id).toBe(SELF.replace("/2/", "/0/"));
    expect(identityOn(linuxWith({ "/proc/thread-self/status": "Name:\tnode\n" }))?.id).toBe(SELF);
  });

  it.each([
    ["a /proc of another PID namespace", { "/proc/thread-self": "4711/task/4711" }],
    ["one in which we have no pid", { "/proc/thread-self": undefined }],
    [
      "one in which our pid happens to be the same",
      { "/proc/thread-self/status": "Name:\tnode\nNStgid:\t7\t7\nNSpid:\t7\t7\n" },
    ],
    ["no boot id", { "/proc/sys/kernel/random/boot_id": "EACCES" }],
    ["no PID namespaces", { "/proc/self/ns/pid": undefined }],
    ["unreadable time namespaces", { "/proc/self/ns/time": "EACCES" }],
    ["unknown start times", { "/proc/thread-self/stat": "7 (node) R" }],
  ])("%s, has no identity", (_name, files) => {
    expect(identityOn(linuxWith(files))).toBeUndefined();
  });

  const task = "/proc/8/task/9/stat";
  it.each<[string, string, Record<string, string>]>([
    ["alive if it is stopped", "alive", { [task]: stat("T", 200) }],
    ["gone if it is a zombie", "gone", { [task]: stat("Z", 200) }],
    ["gone if it is dead", "gone", { [task]: stat("X", 200) }],
    ["gone if its thread id was reused", "gone", { [task]: stat("R", 201) }],
    ["gone if its process has no such thread", "gone", { "/proc/8/stat": stat("S", 50) }],
    ["unknown if /proc hides its process", "unknown", {}],
    ["unknown if its line is not understood", "unknown", { [task]: "8 (node)" }],
  ])("another thread, reports that as %s", async (_name, status, files) => {
    expect(await identityOn(linuxWith(files))?.statusOf(THEIRS)).toBe(status);
  });

  it("another process, reports that as gone if it ends while it is being read", async () => {
    const files = { [task]: "ESRCH", "/proc/8/stat": "ESRCH" };
    expect(await identityOn(linuxWith(files, [7]))?.statusOf(THEIRS)).toBe("gone");
  });

  it.each(["EMFILE", "EACCES", "EPERM"])("another thread, does not take %s for its end", async (code) => {
    const files = { "/proc/8/task/9/stat": code, "/proc/8/stat": stat("S", 50) };
    await expect(identityOn(linuxWith(files))?.statusOf(THEIRS)).rejects.toMatchObject({ code });
  });

  it("a debugger, names the thread and its process", async () => {
    const describing = (state: string) => identityOn(linuxWith({ [task]: stat(state, 200) }))?.describe?.(THEIRS);
    expect(await describing("S")).toBe("thread 9 of process 8");
    expect(await describing("t")).toBe("thread 9 of process 8 (stopped by a debugger)");
    expect(await describing("T")).toBe('thread 9 of process 8 (stopped; "kill -CONT 8" continues it)');
  });
});

describe.each(["darwin", "win32"])("on %s, without start times,", (platform) => {
  const open = (more: Partial<OperatingSystem> = {}) => identityOn({ ...linuxWith(), platform, ...more }) ?? none;
  const { id } = open();

  it("names machine, pid and thread", () => {
    expect(id).toMatch(new RegExp(`^${platform}/[\\w-]{43}/7/0$`));
    expect(open({ threadId: 3 }).id).toBe(id.replace(/0$/, "3"));
    expect(open({ machine: () => "elsewhere" }).id).not.toBe(id);
  });

  it("reports a process as gone if its pid is absent, and never as alive", async () => {
    const statusOf = (pid: string) => open().statusOf(id.replace("/7/0", `/${pid}`));
    expect(await statusOf("7/0")).toBe("unknown");
    expect(await statusOf("8/0")).toBe("unknown");
    expect(await statusOf("9/0")).toBe("gone");
    expect(await statusOf("9")).toBe("unknown");
    expect(await open({ machine: () => "elsewhere" }).statusOf(id.replace("/7/", "/9/"))).toBe("unknown");
  });
});
