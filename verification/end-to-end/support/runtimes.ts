/** Other runtimes than Node, as npm installs them in a folder. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { run } from "./bundle.ts";

/** The packages of the runtimes, to be installed with `--ignore-scripts`. */
export const RUNTIMES = ["bun@1.4.5", "deno@2.9.6", "workerd@1.20261117.1"];

/** Returns the program of a runtime, from the package that npm installs for this platform. */
export function executable(folder: string, scope: string, name: string): string {
  const packages = join(folder, "node_modules", scope);
  const [platform = ""] = readdirSync(packages);
  return join(packages, platform, process.platform === "win32" ? `${name}.exe` : name);
}

/** The command that runs a file in each runtime with files. */
export const COMMANDS: Readonly<Record<string, (folder: string) => [program: string, ...args: string[]]>> = {
  Node: () => [process.execPath],
  Deno: (folder) => [executable(folder, "@deno", "deno"), "run", "--no-prompt", "--allow-all"],
  Bun: (folder) => [executable(folder, "@oven", "bin/bun")],
};

const WORKERD_CONFIG = `
  using Workerd = import "/workerd/workerd.capnp";
  const config :Workerd.Config = (services = [
    (name = "main", worker = (modules = [(name = "worker", esModule = embed "worker.js")], compatibilityDate = "2026-11-01")),
    (name = "internet", network = (allow = ["local"])),
  ]);
`;

/** Bundles a worker into `directory` and runs its test in workerd. `env` are constants of the program. */
export function runInWorkerd(
  program: string,
  { folder, directory, env }: { folder: string; directory: string; env: Readonly<Record<string, string>> },
) {
  const define = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, JSON.stringify(value)]));
  const stdin = { contents: program, resolveDir: folder };
  buildSync({ stdin, bundle: true, format: "esm", outfile: join(directory, "worker.js"), define });
  writeFileSync(join(directory, "config.capnp"), WORKERD_CONFIG);
  const args = ["test", join(directory, "config.capnp")];
  return run(executable(folder, "@cloudflare", "bin/workerd"), args, { cwd: directory, env: {} });
}
