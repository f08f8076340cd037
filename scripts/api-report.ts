/** Compares every package's public API with its committed api.md, or writes that file (`--update`). */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { apiOf } from "./api.ts";
import { entries, finish, type Package, packages } from "./workspace.ts";

const HEAD = "The public API, written by `pnpm api:update`. A change here is a change for users: review it as one.\n";

/** Whether an entry point is for our own packages only: the comment at the top of its source is marked `@internal`. */
function isInternal({ path, manifest }: Package, specifier: string): boolean {
  const source = manifest.exports[`.${specifier.slice(manifest.name.length)}`] ?? "";
  const [comment = ""] = readFileSync(join(path, source), "utf8").split("*/");
  return comment.includes("@internal");
}

function report(pkg: Package): string {
  const published = entries(pkg).filter(([specifier]) => !isInternal(pkg, specifier));
  const entryPoints = published.map(([specifier, { types }]) => ({ specifier, types }));
  return `# ${pkg.manifest.name}\n\n${HEAD}${apiOf(pkg.path, entryPoints)}`;
}

/** Returns the `git diff` between the committed file and the one generated from the build; empty if they agree. */
function difference(pkg: Package, work: string): string[] {
  const file = join(pkg.path, "api.md");
  const fresh = join(work, `${pkg.folder}.md`);
  writeFileSync(fresh, report(pkg));
  const { stdout } = spawnSync("git", ["diff", "--no-index", "--ignore-cr-at-eol", file, fresh], { encoding: "utf8" });
  return stdout === "" ? [] : [`packages/${pkg.folder}/api.md differs; if so intended, run pnpm api:update\n${stdout}`];
}

if (process.argv.includes("--update")) {
  for (const pkg of packages) writeFileSync(join(pkg.path, "api.md"), report(pkg));
} else {
  const work = mkdtempSync(join(tmpdir(), "unexpired-api-"));
  finish(
    "api",
    packages.flatMap((pkg) => difference(pkg, work)),
  );
  rmSync(work, { recursive: true });
}
