import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { type KeychainStoreOptions, keychainOrFile, keychainStore } from "../src/index.ts";
import { resolveSettings } from "../src/options.ts";
import { freshDirectory } from "./support/fresh-directory.ts";

const session = { service: "tests", account: "ada" };
const plainTextFile = { path: "session.json" };

it.each([
  [{ service: "" }, /^keychainStore: "service" must be a non-empty string/],
  [{ account: undefined }, /^keychainStore: "account" must be a non-empty string/],
  [{ timeout: 0 }, /^keychainStore: "timeout" must be a positive number of milliseconds\.$/],
  [{ backend: "canary" }, /^keychainStore: "backend" must be /],
  [
    { dedline: 1 },
    /^keychainStore: unknown option "dedline"\. Supported: service, account, backend, timeout, directory, format\.$/,
  ],
  [{ plainTextFile }, /^keychainStore: unknown option "plainTextFile"/],
  [{ format: "json" }, /^keychainStore: "format" must be a SessionFormat, such as jsonFormat\(…\)/],
  [{ directory: "" }, /^keychainStore: "directory" must be the path of a directory, not an empty string\.$/],
  [{ directory: "a\0b" }, /^keychainStore: "directory" .* not a string with a null character\.$/],
  [
    { directory: "~/x" },
    /^keychainStore: "directory" contains ~, which only a shell expands\. Pass join\(homedir\(\), …\)\.$/,
  ],
  [{ directory: "$HOME/x" }, /^keychainStore: "directory" contains \$HOME, /],
  [{ directory: new URL("file:///x") }, /^keychainStore: "directory" must be a path, not a URL\./],
])("rejects %j with a TypeError that names the option", (options, message) => {
  const make = () => keychainStore({ ...session, ...options } as never);
  expect(make).toThrow(TypeError);
  expect(make).toThrow(message);
  expect(make).not.toThrow(/canary/);
});

it.each([
  [{ dedline: 1 }, /^keychainOrFile: unknown option "dedline"\. Supported: .*, plainTextFile\.$/],
  [{ directory: "~/x" }, /^keychainOrFile: "directory" contains ~, /],
  [
    { plainTextFile: { ...plainTextFile, stateDirectroy: "/x" } },
    /^keychainOrFile: .*: unknown option "stateDirectroy"/,
  ],
  [{ format: {} }, /^keychainOrFile: "format" is not supported, .* Use keychainStore or fileStore with "format"/],
  [{ plainTextFile: { ...plainTextFile, format: {} } }, /^keychainOrFile: "format" is not supported/],
])("rejects %j as an option of keychainOrFile", (options, message) => {
  const make = () => keychainOrFile({ ...session, plainTextFile, ...options } as never);
  expect(make).toThrow(TypeError);
  expect(make).toThrow(message);
});

const call = async () => undefined;
const custom = (limit?: number) => ({ name: "own", limit, get: call, set: call, delete: call });

it.each<[NodeJS.Platform, KeychainStoreOptions["backend"], boolean]>([
  ["linux", undefined, false],
  ["darwin", "keytar", false],
  ["win32", "keytar", true],
  ["win32", undefined, true],
  ["linux", custom(100), true],
  ["win32", custom(), false],
])("knows whether a session is split: %s, %j: %s", (platform, backend, isSplit) => {
  const system = { platform, env: { LOCALAPPDATA: "/state", HOME: "/home/ada" }, machine: undefined };
  expect(resolveSettings({ ...session, backend }, system).isSplit).toBe(isSplit);
});

it("resolves the directory against the current working directory", () => {
  const inside = resolveSettings({ ...session, directory: "a" }).paths.parent;
  expect(inside).toBe(`${process.cwd()}/a`);
});

it("rejects a missing directory if the user has no home directory, and names the option", () => {
  const source = pathToFileURL(`${import.meta.dirname}/../src/index.ts`).href;
  const program = `
    import { keychainStore } from ${JSON.stringify(source)};
    try { keychainStore({ service: "tests", account: "ada" }); } catch (error) { console.log(String(error)); }
  `;
  const env = { PATH: process.env.PATH, HOME: "" };
  const options = { cwd: freshDirectory(), env, encoding: "utf8" } as const;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], options);
  expect(stdout.trim()).toMatch(
    /^TypeError: keychainStore: this user has no home directory\. Set \w+.* to an absolute path, or pass "directory"\.$/,
  );
});
