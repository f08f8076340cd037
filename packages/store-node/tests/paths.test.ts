import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type FileStoreOptions, fileStore, jsonFormat, rawTokenFormat } from "@unexpired/store-node";
import { expect, it } from "vitest";
import { stateFilePath } from "../src/paths.ts";
import { freshDirectory } from "./support.ts";

it.each([
  [undefined, /exactly one of "path" and "appName", not neither/],
  [null, /not neither/],
  [{}, /not neither/],
  ["session.json", /not neither/],
  [{ file: "x" }, /^fileStore: unknown option "file"\. Supported: path, appName, stateDirectory, format\.$/],
  [{ path: "/a", stateDirectroy: "/b" }, /^fileStore: unknown option "stateDirectroy"\. /],
  [{ path: "/a", appName: "b" }, /not both/],
  [{ path: 7 }, /"path" must be the path of a file, not of type number/],
  [{ path: null }, /"path" must be the path of a file, not null/],
  [{ path: "" }, /"path" .* not an empty string/],
  [{ path: "/a/" }, /"path" .* not a directory/],
  [{ path: "a\0b" }, /"path" .* not a string with a null character/],
  [{ path: "~" }, /"path" contains ~, which only a shell expands. Pass join\(homedir\(\), …\), or use "appName"/],
  [{ path: "~/state/session.json" }, /"path" contains ~,/],
  [{ path: "~root/session.json" }, /"path" contains ~root,/],
  [{ path: resolve("~/session.json") }, /"path" contains ~,/],
  [{ path: "$HOME/session.json" }, /"path" contains \$HOME,/],
  [{ path: `/data/$${"{USER}"}/session.json` }, /"path" contains \$\{USER\},/],
  [{ path: "%APPDATA%\\tool\\session.json" }, /"path" contains %APPDATA%,/],
  [{ path: "file:///secret/session.json" }, /"path" must be a path, not a URL. Pass fileURLToPath\(url\)/],
  [{ path: "file:/secret/session.json" }, /"path" must be a path, not a URL/],
  [{ path: "FILE:secret.json" }, /"path" must be a path, not a URL/],
  [{ path: "$env:APPDATA/tool/session.json" }, /"path" contains \$env:APPDATA,/],
  [{ path: "$Env:HOME\\session.json" }, /"path" contains \$Env:HOME,/],
  [{ path: new URL("file:///secret/session.json") }, /"path" must be a path, not a URL/],
  [{ path: "a", stateDirectory: "" }, /"stateDirectory" must be the path of a directory, not an empty string/],
  [{ path: "a", stateDirectory: 7 }, /"stateDirectory" must be the path of a directory, not of type number/],
  [
    { path: "a", stateDirectory: "~/state" },
    /"stateDirectory" contains ~, which only a shell expands\. Pass join\(homedir\(\), …\)\.$/,
  ],
  [{ appName: {} }, /"appName" must be a name such as "my-tool", not an object/],
  [{ appName: "" }, /"appName" .* not an empty string/],
  [{ appName: "secret/.." }, /"appName" must be one path segment/],
  [{ appName: ".." }, /"appName" must be one path segment/],
  [{ appName: "a\\b" }, /"appName" must be one path segment/],
])("rejects %j with a TypeError that names the accepted values", (options, text) => {
  const make = () => fileStore(options as FileStoreOptions);
  expect(make).toThrow(TypeError);
  expect(make).toThrow(text);
  expect(make).not.toThrow(/secret/);
});

it("takes no format from Object.prototype", async () => {
  const directory = freshDirectory();
  Object.assign(Object.prototype, { format: rawTokenFormat() });
  try {
    const store = fileStore({ path: join(directory, "session.json") });
    expect(store.supports).not.toHaveProperty("foreignDocuments");
  } finally {
    Reflect.deleteProperty(Object.prototype, "format"); // before any other code can run
  }
});

it.each([{}, "json", jsonFormat, null, false, 0, "", { key: "k", parse() {}, print: "canary" }])(
  "rejects %j as a format with a TypeError",
  (format) => {
    const make = () => fileStore({ path: "a", format } as FileStoreOptions);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(/^fileStore: "format" must be a SessionFormat, such as jsonFormat/);
  },
);

it("resolves a path against the current working directory", () => {
  expect(fileStore({ path: "a/session.json" }).describe()).toBe(resolve("a/session.json"));
});

it.each([
  "~session.json",
  "a~/session.json",
  "~$session.json",
  "C$/session.json",
  "$.json",
  "a%b%/s",
  "./~backup/s",
  "C:/s",
  "files/s",
])("accepts %s, which no shell expands there", (path) => {
  expect(fileStore({ path }).describe()).toBe(resolve(path));
});

/** Runs a program in an empty directory with only these environment variables, and returns what it printed. */
function output(program: string, env: Record<string, string>): string {
  const cwd = freshDirectory();
  const options = { cwd, env: { PATH: process.env.PATH, PWD: cwd, ...env }, encoding: "utf8" } as const;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", `${IMPORT}${program}`], options).stdout;
}
const IMPORT = `
  import { rmdirSync } from "node:fs";
  import { fileStore } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, "../src/index.ts")).href)};
  process.on("uncaughtException", (error) => console.log(String(error)));
`;

it.each(["", "relative"])("rejects an appName if HOME is %j", (HOME) => {
  const error = output('fileStore({ appName: "tool" });', { HOME });
  expect(error).toContain(
    'TypeError: fileStore: this user has no home directory. Set HOME or XDG_STATE_HOME to an absolute path, or pass "path".',
  );
});

it("rejects an appName if the user is not in the database", ({ skip }) => {
  skip(process.getuid?.() !== 0, "not applicable: only root can become another user");
  const error = output('process.setuid(54321); fileStore({ appName: "tool" });', {});
  expect(error).toContain("TypeError: fileStore: this user has no home directory");
});

it("uses XDG_STATE_HOME without a home directory", () => {
  const path = output('console.log(fileStore({ appName: "tool" }).describe());', {
    HOME: "",
    XDG_STATE_HOME: "/state",
  });
  expect(path.trim()).toBe("/state/tool/session.json");
});

it("rejects a relative path if the working directory was removed", () => {
  const error = output('process.chdir("."); rmdirSync(process.env.PWD); fileStore({ path: "session.json" });', {});
  expect(error).toContain(
    'TypeError: fileStore: "path" is relative, but the current working directory no longer exists',
  );
});

it.each([
  ["linux", {}, join(homedir(), ".local/state/my-tool/session.json")],
  ["linux", { XDG_STATE_HOME: "/state" }, "/state/my-tool/session.json"],
  ["linux", { XDG_STATE_HOME: "relative" }, join(homedir(), ".local/state/my-tool/session.json")],
  ["darwin", {}, join(homedir(), "Library/Application Support/my-tool/session.json")],
  ["win32", { LOCALAPPDATA: "C:\\Users\\a\\AppData\\Local" }, "C:\\Users\\a\\AppData\\Local\\my-tool\\session.json"],
] as const)("places the session of an app on %s with %j at %s", (platform, env, path) => {
  expect(stateFilePath("my-tool", { platform, env })).toBe(path);
});
