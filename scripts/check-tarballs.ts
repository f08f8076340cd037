/** Packs every package and checks the tarballs: exact files, imports that an install provides, publint, attw. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { MARKER } from "../verification/fault-injection/messages.ts";
import { reach } from "./imports.ts";
import { packAll } from "./pack.ts";
import { entries, finish, type Package, packages, run } from "./workspace.ts";

const ALWAYS = ["LICENSE", "README.md", "package.json"];

const list = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name).slice(folder.length + 1));

const builtFiles = (pkg: Package, folder: string) =>
  entries(pkg).flatMap(([, { types, default: code }]) => [reach(folder, join(types)), reach(folder, join(code))]);

function contentProblems(pkg: Package, folder: string): string[] {
  const reached = builtFiles(pkg, folder);
  const actual = list(folder);
  const { files: folders } = pkg.manifest;
  const asTheyAre = actual.filter((file) => folders.some((name) => name !== "dist" && file.startsWith(`${name}/`)));
  const expected = new Set([...ALWAYS, ...asTheyAre, ...reached.flatMap(({ files }) => [...files])]);
  const { dependencies, optionalDependencies, peerDependencies } = pkg.manifest;
  const installed = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
  const provided = (module: string) =>
    isBuiltin(module) ? pkg.folder !== "core" : installed.some((name) => `${module}/`.startsWith(`${name}/`));
  const modules = new Set(reached.flatMap((found) => [...found.modules]));
  return [
    ...[...expected].filter((file) => !actual.includes(file)).map((file) => `${file} is missing from the tarball`),
    ...actual
      .filter((file) => !expected.has(file))
      .map((file) => `${file} is in the tarball, but no entry point reaches it`),
    ...[...modules]
      .filter((module) => !provided(module))
      .map((module) => `imports "${module}", which installing it does not bring: bundle it, or make it a dependency`),
  ];
}

/** Fault points are for tests alone. */
const faultPoints = (folder: string) =>
  list(folder)
    .filter((file) => readFileSync(join(folder, file), "utf8").includes(MARKER))
    .map((file) => `${file} holds a fault point of verification/fault-injection`);

async function publintProblems(tarball: Uint8Array<ArrayBuffer>): Promise<string[]> {
  const { messages, pkg } = await publint({ pack: { tarball: tarball.buffer }, strict: true });
  return messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`);
}

/** We are ES modules only: how CommonJS and TypeScript's oldest resolution see that is no news (attw: `esm-only`). */
const ESM_ONLY_IGNORES = ["node10", "node16-cjs"];

async function typesProblems(tarball: Uint8Array): Promise<string[]> {
  const analysis = await checkPackage(createPackageFromTarballData(tarball));
  if (analysis.types === false) return ["attw: has no types"];
  return analysis.problems
    .filter((problem) => !("resolutionKind" in problem && ESM_ONLY_IGNORES.includes(problem.resolutionKind)))
    .map((problem) => `attw: ${JSON.stringify(problem)}`);
}

async function check(pkg: Package, tarball: string, work: string): Promise<string[]> {
  const folder = join(work, pkg.folder);
  mkdirSync(folder);
  run("tar", ["-xzf", tarball, "-C", folder]);
  const content = new Uint8Array(readFileSync(tarball));
  const found = [
    ...contentProblems(pkg, join(folder, "package")),
    ...faultPoints(join(folder, "package")),
    ...(await publintProblems(content)),
    ...(await typesProblems(content)),
  ];
  return found.map((problem) => `${pkg.manifest.name}: ${problem}`);
}

const work = mkdtempSync(join(tmpdir(), "unexpired-tarballs-"));
try {
  const tarballs = [...packAll(work).values()];
  const found = await Promise.all(packages.map((pkg, index) => check(pkg, tarballs[index] ?? "", work)));
  finish("tarballs", found.flat());
} finally {
  rmSync(work, { recursive: true });
}
