/** A project that uses the packages, in a folder of its own, as npm installs it. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { run } from "../../../scripts/workspace.ts";

/** The module options of TypeScript, and the folder for its JavaScript. */
export interface Resolution {
  readonly module: string;
  readonly moduleResolution: string;
  readonly outDir: string;
}

export const nodenext: Resolution = { module: "nodenext", moduleResolution: "nodenext", outDir: "nodenext" };
export const bundler: Resolution = { module: "esnext", moduleResolution: "bundler", outDir: "bundler" };

export class Consumer implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "unexpired-consumer-"));

  /** Installs packages; `packages` are the arguments of `npm install`, including options. */
  constructor(packages: readonly string[]) {
    this.write("package.json", JSON.stringify({ name: "consumer", private: true, type: "module" }));
    run("npm", ["install", "--no-audit", "--no-fund", ...packages], { cwd: this.directory });
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.directory, name), text);
  }

  node(args: readonly string[], env = {}): Promise<{ stdout: string }> {
    return promisify(execFile)(process.execPath, args, { cwd: this.directory, env: { ...process.env, ...env } });
  }

  /** Returns the type errors, except those in declarations of other packages (ofetch's need undici). */
  typeErrors(files: readonly string[], resolution: Resolution): string[] {
    const options = { target: "es2023", types: "node", ...resolution };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const tsc = ["node_modules/typescript/bin/tsc", "--strict", ...args, ...files];
    const { stdout } = spawnSync(process.execPath, tsc, { cwd: this.directory, encoding: "utf8" });
    return stdout
      .split("\n")
      .filter((line) => line.includes("error TS") && !/^node_modules\/(?!@unexpired\/)/.test(line));
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}
