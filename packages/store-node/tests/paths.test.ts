import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type FileStoreOptions, fileStore } from "@unexpired/store-node";
import { expect, it } from "vitest";
import { stateFilePath } from "../src/paths.ts";

it.each([
  [undefined, /exactly one of "path" and "appName", not neither/],
  [null, /not neither/],
  [{}, /not neither/],
  [{ file: "x" }, /not neither/],
  [{ path: "/a", appName: "b" }, /not both/],
  [{ path: 7 }, /"path" must be the path of a file, not of type number/],
  [{ path: null }, /"path" must be the path of a file, not null/],
  [{ path: "" }, /"path" .* not an empty string/],
  [{ path: "/a/" }, /"path" .* not a directory/],
  [{ path: "a\0b" }, /"path" .* not a string with a null character/],
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

it("resolves a path against the current working directory", () => {
  expect(fileStore({ path: "a/session.json" }).describe()).toBe(resolve("a/session.json"));
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
