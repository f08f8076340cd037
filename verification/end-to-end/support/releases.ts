/** The releases in the folder `releases`, and processes that use one of them or the current packages. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { unpack } from "../../../scripts/pack.ts";
import { root } from "../../../scripts/workspace.ts";

const RELEASES = join(import.meta.dirname, "../releases");
const PROGRAM = join(import.meta.dirname, "../fixtures/release.ts");

export const keptReleases = readdirSync(RELEASES).filter((name) => !name.endsWith(".md"));

/** Installs a kept release below `directory`, and returns the folder in which programs find it. */
export function installKept(release: string, directory: string): string {
  return install(directory, (name, target) => cpSync(join(RELEASES, release, name), target, { recursive: true }));
}

/** Installs the packed packages; `tarballs` are their paths by package name. */
export function installPacked(tarballs: Readonly<Record<string, string>>, directory: string): string {
  return install(directory, (name, target) =>
    cpSync(unpack(tarballs[`@unexpired/${name}`] ?? "", join(directory, `unpacked-${name}`)), target, {
      recursive: true,
    }),
  );
}

function install(directory: string, write: (name: string, target: string) => void): string {
  const modules = join(directory, "node_modules");
  mkdirSync(join(modules, "@unexpired"), { recursive: true });
  for (const name of ["core", "store-node"]) write(name, join(modules, "@unexpired", name));
  const lockfile = join(root, "packages/store-node/node_modules/proper-lockfile");
  symlinkSync(lockfile, join(modules, "proper-lockfile"), "junction");
  return directory;
}

/** The session file and token endpoint that processes share. */
export interface Shared {
  readonly path: string;
  readonly tokenEndpoint: string;
  /** Variables to add to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The result of an action, or its error. */
export interface Reply {
  readonly value?: unknown;
  readonly code?: string;
  readonly reason?: string;
  readonly message?: string;
}

/** A process that uses one release, and performs one action at a time. */
export class ReleaseProcess implements Disposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts a process that finds the packages in `folder`. */
  static async start(folder: string, { path, tokenEndpoint, env = {} }: Shared): Promise<ReleaseProcess> {
    const child = fork(PROGRAM, [folder, path, tokenEndpoint], { env: { ...process.env, ...env } });
    await once(child, "message");
    return new ReleaseProcess(child);
  }

  async do(action: string): Promise<Reply> {
    const reply = once(this.#child, "message");
    this.#child.send(action);
    return (await reply)[0] as Reply;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  kill(): void {
    this.signal("SIGKILL");
  }

  [Symbol.dispose](): void {
    this.kill();
  }
}
