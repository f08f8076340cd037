import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "./compile-cache.ts";
import { fileStore } from "@unexpired/store-node";
import { afterAll, expect, it } from "vitest";
import { fork, type StoreModule } from "../src/index.ts";

const directory = mkdtempSync(join(tmpdir(), "unexpired-fork-"));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
const freshPath = () => join(directory, `${++files}.json`);
const at = (path: string): StoreModule => ({
  module: join(import.meta.dirname, "fixtures/file-store.ts"),
  argument: path,
});

it("runs a task in another process, which reports and exits", async () => {
  const path = freshPath();
  await using remote = fork(at(path), { do: "save", value: "by another process" });
  expect(await remote.next()).toBe("saved");
  expect(await remote.ended).toBe(0);
  expect((await fileStore({ path }).load())?.value).toBe("by another process");
  await expect(remote.next()).rejects.toThrow("A process that used the store ended with 0: it printed no error");
});

it("accepts a URL as the module", async () => {
  const module = new URL("fixtures/file-store.ts", import.meta.url);
  await using remote = fork({ module, argument: freshPath() }, { do: "increment", times: 3 });
  expect(await remote.next()).toBe(3);
});

it("includes stderr in the error of a process that ends", async () => {
  await using remote = fork({ module: "/missing/store.ts" }, { do: "hold" });
  await expect(remote.next()).rejects.toThrow(/^A process that used the store ended with 1: .*Cannot find module/s);
  expect(await remote.ended).toBe(1);
});

it("reports a missing command like an error of the process", async () => {
  await using remote = fork(at(freshPath()), { do: "hold" }, { within: ["no-such-command"] });
  await expect(remote.next()).rejects.toThrow("ENOENT");
});

it("runs the process within a command", async () => {
  await using remote = fork(at(freshPath()), { do: "save", value: "v" }, { within: ["env", "NODE_NO_WARNINGS=1"] });
  expect(await remote.next()).toBe("saved");
});

it("keeps messages unread until next() is called, even after a kill", async () => {
  await using remote = fork(at(freshPath()), { do: "save-forever" });
  expect(await remote.next()).toBe("ready");
  remote.send("go");
  expect(await remote.next()).toBe(1);
  while (remote.unread.length < 2) await new Promise(setImmediate);
  remote.kill("SIGKILL");
  expect(await remote.ended).toBeNull();
  expect(remote.unread.slice(0, 2)).toEqual([2, 3]);
  expect(await remote.next()).toBe(2);
  remote.send("too late");
});

it("kills a process when it is disposed", async () => {
  const remote = fork(at(freshPath()), { do: "hold" });
  expect(await remote.next()).toEqual(fileStore({ path: freshPath() }).holder ? expect.any(String) : null);
  await remote[Symbol.asyncDispose]();
  expect(await remote.ended).toBeNull();
  await expect(remote.next()).rejects.toThrow("ended with SIGKILL");
});
