/**
 * Keeps core and the file store as they are packed now in verification/end-to-end/releases, for tests that run them
 * beside later releases. `--replace` replaces what is kept for the same version: only before that version is published.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { transformSync } from "esbuild";
import { packAll, unpack } from "./pack.ts";
import { root } from "./workspace.ts";

const RELEASES = join(root, "verification/end-to-end/releases");
const NAMES = ["core", "store-node"];

const { values } = parseArgs({ options: { replace: { type: "boolean", default: false } } });

/** Writes the JavaScript of an unpacked package, minified, and the part of its package.json that Node reads. */
function keep(source: string, target: string): void {
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(join(source, "dist")).filter((each) => each.endsWith(".js"))) {
    const text = readFileSync(join(source, "dist", name), "utf8");
    writeFileSync(join(target, name), transformSync(text, { minify: true, charset: "utf8", target: "node22" }).code);
  }
  const { name, version, type, license, exports } = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
  const entries = Object.entries<{ default?: string }>(exports).flatMap(([key, entry]) =>
    entry.default === undefined ? [] : [[key, entry.default.replace("./dist/", "./")]],
  );
  const manifest = { name, version, type, license, exports: Object.fromEntries(entries) };
  writeFileSync(join(target, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

function main(): void {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-release-"));
  try {
    const tarballs = packAll(directory);
    const { version } = JSON.parse(readFileSync(join(root, "packages/core/package.json"), "utf8"));
    const target = join(RELEASES, version);
    if (existsSync(target) && !values.replace)
      throw new Error(`${version} is kept already. Pass --replace if it has not been published yet.`);
    rmSync(target, { recursive: true, force: true });
    for (const name of NAMES)
      keep(unpack(tarballs.get(`@unexpired/${name}`) ?? "", join(directory, name)), join(target, name));
    console.log(`kept ${NAMES.join(" and ")} ${version} in ${basename(dirname(target))}/${version}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

main();
