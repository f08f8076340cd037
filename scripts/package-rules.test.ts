import { describe, expect, it } from "vitest";
import { inexactVersions, type PackageFacts, packageProblems, textProblems } from "./package-rules.ts";

const good: PackageFacts = {
  folder: "example",
  files: ["LICENSE", "README.md", "package.json", "src/index.ts", "tests/a.test.ts", "tsup.config.ts"],
  manifest: {
    name: "@unexpired/example",
    version: "0.1.0",
    description: "An example.",
    license: "MIT",
    repository: {
      type: "git",
      url: "git+https://github.com/unexpired/unexpired.git",
      directory: "packages/example",
    },
    keywords: ["oauth"],
    type: "module",
    sideEffects: false,
    engines: { node: ">=22.12" },
    exports: { ".": "./src/index.ts", "./package.json": "./package.json" },
    files: ["dist"],
    publishConfig: {
      access: "public",
      exports: {
        ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
        "./package.json": "./package.json",
      },
    },
    scripts: { build: "tsup", test: "vitest run --root ../.. --project example" },
    devDependencies: { zod: "4.0.0", "@unexpired/core": "workspace:*" },
  },
};

const withManifest = (changes: object): PackageFacts => ({ ...good, manifest: { ...good.manifest, ...changes } });
const without = (file: string): PackageFacts => ({ ...good, files: good.files.filter((name) => name !== file) });
const { name, ...nameless } = good.manifest;

it("finds no problems in a package that follows the rules", () => {
  expect(packageProblems(good)).toEqual([]);
});

describe("packageProblems", () => {
  it.each([
    ["a missing file", without("LICENSE"), "add the file LICENSE"],
    ["no test", without("tests/a.test.ts"), "add a test"],
    ["a missing field", { ...good, manifest: nameless }, 'add "name"'],
    ["an unknown field", withManifest({ main: "x" }), 'remove "main"'],
    ["another order", { ...good, manifest: { ...nameless, name } }, "put the fields in this order: name, version"],
    ["another license", withManifest({ license: "ISC" }), 'set "license" to "MIT"'],
    ["another folder", { ...good, folder: "other" }, "packages/other"],
    ["other engines", withManifest({ engines: { node: ">=20" } }), 'set "engines"'],
    ["an unpublished entry", withManifest({ exports: { ".": "./src/index.ts" } }), 'set "publishConfig"'],
    ["a vanished entry", withManifest({ exports: { ".": "./src/gone.ts" } }), "./src/gone.ts"],
    [
      "an unpublished folder",
      { ...good, files: [...good.files, "migrations/1.sql"] },
      'set "files" to ["dist","migrations"]',
    ],
    ["other files", withManifest({ files: ["dist", "src"] }), 'set "files" to ["dist"]'],
    ["private access", withManifest({ publishConfig: { access: "restricted" } }), '"access":"public"'],
    ["a loose version", withManifest({ devDependencies: { zod: "^4.0.0" } }), "pin zod"],
  ])("names %s", (_, facts, problem) => {
    expect(packageProblems(facts).join("\n")).toContain(problem);
  });
});

it.each(["^1.0.0", "~1.0.0", "latest", "1.x", ">=1.0.0", "*", "workspace:^", "npm:a@^1.0.0"])(
  "treats %s as inexact",
  (version) => {
    expect(inexactVersions({ devDependencies: { a: version } })).toHaveLength(1);
  },
);

describe("textProblems", () => {
  const privatePaths = ["/Users/me"];

  it.each([
    ["/ro", "ot/secret"],
    ["/Users/", "me/project"],
    ["https://regi", "stry.npmjs.org/"],
    ["https://npm.example/a/", "-/a-1.0.0.tgz"],
  ])("refuses %s%s", (start, end) => {
    expect(textProblems(`one line\n  ${start}${end}`, privatePaths)).toHaveLength(1);
  });

  it.each([
    "~/.config",
    "/home/ada/.config",
    "https://example.org/work/page/",
    "src/root/x",
    "https://www.npmjs.com/package/a",
  ])("accepts %s", (text) => {
    expect(textProblems(text, privatePaths)).toEqual([]);
  });
});
