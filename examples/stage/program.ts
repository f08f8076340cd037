import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** With the cache, a process need not compile again what an earlier one has compiled. */
const DEFAULTS = { NO_COLOR: "1", NODE_COMPILE_CACHE: join(tmpdir(), "unexpired-compile-cache") };

/** A process of the program, and what it prints. */
export class Program {
  /** Every line that any process has printed. */
  static readonly printed: string[] = [];
  static readonly #running = new Set<ChildProcess>();
  readonly lines: string[] = [];
  /** Resolves to the exit code; to `null` if a signal ended it. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;

  static {
    process.once("exit", () => {
      for (const child of Program.#running) child.kill("SIGKILL");
    });
  }

  /** Starts a program: `file` is the path of its source. */
  constructor(file: string, { args = [], env = {} }: ProgramOptions = {}) {
    const child = spawn(process.execPath, [file, ...args], { env: { ...process.env, ...DEFAULTS, ...env } });
    Program.#running.add(child);
    this.#child = child;
    child.stdin.on("error", () => {}); // it has ended
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.lines.push(line);
        Program.printed.push(line);
      });
    }
    this.ended = once(child, "close").then(([code]) => {
      Program.#running.delete(child);
      return code as number | null;
    });
  }

  get output(): string {
    return this.lines.join("\n");
  }

  /** Returns how many of its lines match. */
  count(pattern: RegExp): number {
    return this.lines.filter((line) => pattern.test(line)).length;
  }

  /** Writes a line to its standard input. */
  write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
