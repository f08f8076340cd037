import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "..");

export interface Built {
  readonly types: string;
  readonly default: string;
}

/** The part of a package.json which the scripts read. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  readonly publishConfig: { readonly exports: Readonly<Record<string, Built | string>> };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export interface Package {
  /** Its name under `packages/`. */
  readonly folder: string;
  readonly path: string;
  readonly manifest: Manifest;
}

export const packages: readonly Package[] = readdirSync(join(root, "packages")).map((folder) => {
  const path = join(root, "packages", folder);
  return { folder, path, manifest: JSON.parse(readFileSync(join(path, "package.json"), "utf8")) };
});

/** The built entry points of a package: `["@unexpired/core/oauth2", { types, default }]`, paths relative to it. */
export const entries = ({ manifest }: Package): [specifier: string, built: Built][] =>
  Object.entries(manifest.publishConfig.exports).flatMap(([key, built]) =>
    typeof built === "string" ? [] : [[`${manifest.name}${key.slice(1)}`, built]],
  );

/** Runs a program to its end and returns what it wrote; throws with all of it when the program fails. */
export function run(program: string, args: readonly string[], options: { cwd?: string; env?: object } = {}): string {
  const { cwd = root, env = {} } = options;
  // Windows finds npm and pnpm (`.cmd` files) only through a shell.
  const shell = process.platform === "win32" && program !== process.execPath;
  try {
    return execFileSync(program, args, {
      cwd,
      env: { ...process.env, ...env },
      encoding: "utf8",
      stdio: "pipe",
      shell,
    });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

/** The repository's files, relative to its root, with new ones that are not ignored. */
export const trackedFiles = (): readonly string[] =>
  run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])
    .split("\0")
    .filter((file) => file !== "" && existsSync(join(root, file)));

/** Prints what is wrong, or that nothing is, and sets the exit code. */
export function finish(what: string, problems: readonly string[]): void {
  for (const problem of problems) console.error(`${what}: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  else console.log(`${what}: ok`);
}
