import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, it } from "vitest";
import { parseProcStat } from "../src/process-identity.ts";
import { exit, message, start } from "./support.ts";

const { holder: identity = { id: "", isGone: async () => false } } = fileStore({ path: "/nowhere/session.json" });
const parts = identity.id.split("/");
const idWith = (changes: Record<number, string>): string =>
  parts.map((part, index) => changes[index] ?? part).join("/");
const [PLATFORM, BOOT, PID_NAMESPACE, TIME_NAMESPACE, PID, START] = [0, 1, 2, 3, 4, 5] as const;

it("is the same for all stores of a process, which is not gone", async () => {
  expect(fileStore({ path: "/elsewhere/session.json" }).holder?.id).toBe(identity.id);
  expect(await identity.isGone(identity.id)).toBe(false);
});

describe.skipIf(process.platform !== "linux")("on Linux", () => {
  const idOf = (pid: number): string => {
    const status = parseProcStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
    return idWith({ [PID]: String(pid), [START]: status?.startedAt ?? "" });
  };

  it("reports a killed process as gone, but not a stopped one", async () => {
    const child = start("idle");
    await message(child);
    const id = idOf(child.pid ?? 0);
    expect(await identity.isGone(id)).toBe(false);
    child.kill("SIGSTOP");
    expect(await identity.isGone(id)).toBe(false);
    child.kill("SIGKILL");
    await exit(child);
    expect(await identity.isGone(id)).toBe(true);
  });

  it("reports a zombie process as gone", async () => {
    // `sleep` becomes the parent of a child that ends, and never waits for it.
    const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "inherit"] });
    const pid = Number(String(await new Promise((resolve) => parent.stdout.once("data", resolve))));
    const id = idOf(pid);
    await expect.poll(() => parseProcStat(readFileSync(`/proc/${pid}/stat`, "utf8"))?.state).toBe("Z");
    expect(await identity.isGone(id)).toBe(true);
    parent.kill("SIGKILL");
  });

  it.each([
    ["another start time, because the pid was reused", { [START]: "1" }, true],
    ["a pid that does not exist", { [PID]: "4194305" }, true],
    ["another boot", { [BOOT]: "00000000-0000-0000-0000-000000000000", [PID]: "4194305" }, false],
    ["another PID namespace", { [PID_NAMESPACE]: "1", [PID]: "4194305" }, false],
    ["another time namespace", { [TIME_NAMESPACE]: "1", [START]: "1" }, false],
    ["another system", { [PLATFORM]: "darwin", [PID]: "4194305" }, false],
    ["an invalid pid", { [PID]: "x" }, false],
    ["pid 0", { [PID]: "0" }, false],
    ["a trailing segment", { [START]: "1/2" }, false],
  ])("tells whether a process is gone from an id with %s", async (_name, changes, gone) => {
    expect(await identity.isGone(idWith(changes))).toBe(gone);
  });

  it.each(["", "x", "linux", identity.id.slice(0, 20)])("does not report an invalid id (%j) as gone", async (id) => {
    expect(await identity.isGone(id)).toBe(false);
  });

  it("parses a stat line whose command name contains parentheses", () => {
    const fields = Array.from({ length: 30 }, (_, index) => index + 4).join(" ");
    expect(parseProcStat(`12 (a) Z (b c) S ${fields}`)).toEqual({ state: "S", startedAt: "22" });
    expect(parseProcStat("12 (a) S 1 2")).toBeUndefined();
  });
});
