import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { isMountPoint } from "../src/mounts.ts";
import { freshDirectory, isPossible } from "./support.ts";

const NAMESPACE = ["--mount", "--propagation", "private", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];

const unshare = (...command: string[]): string =>
  execFileSync("unshare", [...NAMESPACE, ...command], { encoding: "utf8" });

const canMount = () => isPossible(() => unshare("mount", "-t", "tmpfs", "tmpfs", freshDirectory()));

/** Runs a scenario of `fixtures/mounts.ts` with mounts that only it sees. */
const run = (scenario: string): unknown =>
  JSON.parse(unshare(process.execPath, join(import.meta.dirname, "fixtures", "mounts.ts"), scenario, freshDirectory()));

beforeEach(({ skip }) => {
  skip(process.platform !== "linux", "not applicable: only Linux has mount namespaces");
  skip(!canMount(), "unshare cannot create a mount namespace here: run as root, or allow user namespaces");
});

const REFUSED = {
  code: "STORE_UNAVAILABLE",
  location: expect.stringMatching(/session\.json$/),
  message: expect.stringMatching(
    /mounted as a single file, so the host and other .*Mount its directory instead.*"stateDirectory" to every process/,
  ),
};

describe("a session file that is itself a mount point", () => {
  it.each(["writable file", "read-only file"])("can be read but neither saved nor removed (%s)", (scenario) => {
    expect(run(scenario)).toEqual({
      value: "1",
      saved: REFUSED,
      removed: REFUSED,
      names: ["session.json"],
      links: 0,
      later: REFUSED,
      host: "3",
    });
  });

  it("is recognized without a list of mounts, once the other side has replaced it", () => {
    expect(run("unknown mounts")).toEqual({ value: "1", saved: REFUSED });
  });

  it.each(["state directory", "state directory, read-only file"])("is saved with a shared %s", (scenario) => {
    const conflict = expect.objectContaining({ code: "STORE_CONFLICT" });
    expect(run(scenario)).toEqual({ first: "1", seen: "2", conflict, last: true });
  });

  it("does not get the session written into it if other users can read it", ({ skip }) => {
    skip(process.getuid?.() !== 0, "not applicable: only root can become another user");
    expect(run("readable file")).toEqual({ value: "2", file: "1" });
  });

  it("is told from an ordinary file", async () => {
    expect(await isMountPoint(import.meta.filename)).toBe(false);
    expect(await isMountPoint("/no such file")).toBe(false);
    expect(await isMountPoint("/proc")).toBe(true);
  });
});

it("creates the session file and its directory, even if the state directory is on another file system", () => {
  const expected = { texts: ["1", "2", "2"], found: true, mode: "600", isLeft: false };
  expect(run("state directory on another file system")).toEqual(expected);
});

it("removes a session from a lower layer of overlayfs, and starts another one there", () => {
  expect(run("overlay")).toEqual({
    loaded: ["image", true],
    names: [],
    afterwards: [null, null],
    late: expect.objectContaining({ code: "STORE_CONFLICT" }),
    last: "3",
    isLowerLeft: true,
  });
});

it("names a read-only file system, whether or not the directory exists", () => {
  const message = expect.stringContaining("cannot be saved: the file system is read-only (EROFS)");
  expect(run("read-only file system")).toEqual([0, 1, 2].map(() => expect.objectContaining({ message })));
});
