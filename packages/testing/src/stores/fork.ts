import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { StoreModule } from "./harness.ts";
import type { Task } from "./tasks.ts";
import { TIMEOUT } from "./time-limit.ts";

/** Options of {@link fork}. */
export interface ForkOptions {
  /** A command prefix that runs the process, such as `["unshare", "--pid", "--fork"]`. Default: none. */
  readonly within?: readonly string[] | undefined;
  /** The time limit of each operation of the store, in milliseconds. Default 20,000. */
  readonly timeout?: number | undefined;
}

/** A child process that runs a task on a store. Disposing it kills the process. */
export interface Remote extends AsyncDisposable {
  /**
   * Resolves to the next message of the process. Call it again only after it has settled.
   *
   * @throws Error if the process ends without another message; includes its stderr
   */
  next(): Promise<unknown>;
  /** Sends a message to the process. */
  send(message: string | number): void;
  /** Kills, stops or resumes the process. */
  kill(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void;
  /** Resolves to the exit code when the process has ended, or to `null` if a signal ended it. */
  readonly ended: Promise<number | null>;
  /** The messages that `next()` has not returned yet. */
  readonly unread: readonly unknown[];
}

const worker = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url));

/** Starts a process that opens the store with the module's `openStore` and runs `task`. It inherits stdout. */
export function fork({ module, argument }: StoreModule, task: Task, options: ForkOptions = {}): Remote {
  const { within = [], timeout = TIMEOUT } = options;
  const order = JSON.stringify({ module: String(module), argument, task, timeout });
  const [command = process.execPath, ...rest] = [...within, process.execPath, worker, order];
  const env = { ...process.env, NODE_OPTIONS: "" }; // without the test runner's loaders
  const child = spawn(command, rest, { env, stdio: ["ignore", "inherit", "pipe", "ipc"] });
  return new ForkedProcess(child);
}

class ForkedProcess implements Remote {
  readonly unread: unknown[] = [];
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #stderr = "";
  #hasEnded = false;
  #wake = () => {};

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    child.on("message", (message) => {
      this.unread.push(message);
      this.#wake();
    });
    child.on("error", (error) => {
      this.#stderr += error.message;
    });
    this.ended = new Promise((resolve) => {
      child.on("close", (code) => {
        this.#hasEnded = true;
        this.#wake();
        resolve(code);
      });
    });
  }

  async next(): Promise<unknown> {
    while (this.unread.length === 0) {
      if (this.#hasEnded) throw new Error(this.#exitMessage());
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.unread.shift();
  }

  #exitMessage(): string {
    const { exitCode, signalCode } = this.#child;
    return `A process that used the store ended with ${signalCode ?? exitCode}: ${this.#stderr.trim() || "it printed no error"}`;
  }

  send(message: string | number): void {
    this.#child.send(message, () => {}); // the process may have ended
  }

  kill(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    this.#child.stderr?.destroy(); // its own children may still hold the other end open
    await this.ended;
  }
}
