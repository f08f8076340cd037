import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { packages, run } from "./workspace.ts";

/** Builds and packs every package as `pnpm publish` would; resolves package names to tarballs in `destination`. */
export function packAll(destination: string): Map<string, string> {
  // Turbo restores a cached dist on top of what is there.
  for (const { path } of packages) rmSync(join(path, "dist"), { recursive: true, force: true });
  run("pnpm", ["turbo", "run", "build"]);
  return new Map(
    packages.map(({ path, manifest: { name, version } }) => {
      run("pnpm", ["pack", "--pack-destination", destination], { cwd: path });
      return [name, join(destination, `${name.slice(1).replace("/", "-")}-${version}.tgz`)];
    }),
  );
}

/** Unpacks a tarball into a new directory, and returns the package's own directory in it. */
export function unpack(tarball: string, destination: string): string {
  mkdirSync(destination, { recursive: true });
  run("tar", ["-xzf", tarball, "-C", destination]);
  return join(destination, "package");
}
