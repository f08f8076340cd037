/** The size of every entry point against its budget: minified, gzipped, with its dependencies but without what is optional and its peers. */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import budgets from "./size-budgets.json" with { type: "json" };
import { entries, finish, type Package, packages } from "./workspace.ts";

const budgetOf: Readonly<Record<string, number>> = budgets;

async function size({ path, manifest }: Package, code: string): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: [join(path, code)],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "node",
    external: ["@unexpired/*", ...Object.keys({ ...manifest.optionalDependencies, ...manifest.peerDependencies })],
  });
  return gzipSync(outputFiles[0]?.contents ?? "").length;
}

const rows = await Promise.all(
  packages.flatMap((pkg) =>
    entries(pkg).map(async ([name, { default: code }]) => ({
      name,
      bytes: await size(pkg, code),
      budget: budgetOf[name] ?? 0,
    })),
  ),
);
console.table(rows.map(({ name, bytes, budget }) => ({ "entry point": name, "bytes, gzipped": bytes, budget })));

const names = rows.map((row) => row.name);
finish("sizes", [
  ...rows
    .filter(({ bytes, budget }) => bytes > budget)
    .map(({ name, bytes, budget }) => `${name} is ${bytes} bytes; scripts/size-budgets.json allows ${budget}`),
  ...Object.keys(budgetOf)
    .filter((name) => !names.includes(name))
    .map((name) => `scripts/size-budgets.json has a budget for ${name}, which does not exist`),
]);
