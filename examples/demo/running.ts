/** Runs the demo as its users do, for tests. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

/** The demo in its own process group and temporary directory. */
export class Running {
  readonly directory = mkdtempSync(join(tmpdir(), "unexpired-demo-test-"));
  /** All strings in the session's files that look like tokens. */
  readonly tokens = new Set<string>();
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[]) {
    const env = { ...process.env, TMPDIR: this.directory, TEMP: this.directory, TMP: this.directory };
    this.#child = spawn(process.execPath, [MAIN, ...args], { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stdout?.setEncoding("utf8").on("data", (text) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
    });
    this.#ended = once(this.#child, "close");
  }

  /** Waits for the demo to end and returns its exit code. */
  async end(): Promise<unknown> {
    const collecting = setInterval(() => this.#collectTokens(), 20);
    const [code] = await this.#ended;
    clearInterval(collecting);
    return code;
  }

  /** Waits until stdout matches. */
  async printed(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.stdout)) {
      if (this.#child.exitCode !== null) throw new Error(`The demo ended early:\n${this.stdout}${this.stderr}`);
      await sleep(20);
    }
  }

  /** Sends a signal to the entire process group, as a terminal does, or only to the demo. */
  signal(signal: NodeJS.Signals, to: "group" | "demo"): void {
    if (this.#child.pid === undefined) throw new Error("The demo did not start.");
    process.kill(to === "group" ? -this.#child.pid : this.#child.pid, signal);
  }

  /** The living worker processes, found by the session's path in their arguments. Empty on Windows (no `ps`). */
  workers(): string[] {
    if (process.platform === "win32") return [];
    const processes = execFileSync("ps", ["-Aww", "-o", "stat=,args="], { encoding: "utf8" }).split("\n");
    return processes.filter((line) => line.includes(this.directory) && !line.startsWith("Z"));
  }

  leftBehind(): string[] {
    return readdirSync(this.directory);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  #collectTokens(): void {
    for (const file of filesIn(this.directory)) {
      for (const [token] of read(join(this.directory, file)).matchAll(/[\w-]{40,}/g)) this.tokens.add(token);
    }
  }
}

function filesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: "utf8" });
  } catch {
    return []; // a directory in it was removed in the meantime, such as a lock
  }
}

function read(path: string): string {
  try {
    return statSync(path).isFile() ? readFileSync(path, "utf8") : "";
  } catch {
    return ""; // removed in the meantime
  }
}
