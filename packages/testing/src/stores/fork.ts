import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { StoreModule } from "./harness.ts";
import type { Task } from "./tasks.ts";

/** How a process is started. */
export interface ForkOptions {
  /** A command that runs the process, such as `["unshare", "--pid", "--fork"]`. Default: none. */
  readonly within?: readonly string[] | undefined;
}

/** A process that does a task on a store. To dispose of it kills it. */
export interface Remote extends AsyncDisposable {
  /**
   * What it tells next, in its order. Ask again only after the answer.
   *
   * @throws Error where it has ended instead, with what it wrote to stderr
   */
  next(): Promise<unknown>;
  /** Tells it something. */
  send(message: string | number): void;
  /** Ends it, stops it or lets it go on. */
  kill(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void;
  /** Resolves to its exit code when it has ended; `null` where a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Everything that it told and that nobody has asked for yet. */
  readonly unread: readonly unknown[];
}

const worker = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url));

/** Starts a process which opens the store as `elsewhere` says, and does `task`. What it prints goes to our stdout. */
export function fork({ module, argument }: StoreModule, task: Task, { within = [] }: ForkOptions = {}): Remote {
  const order = JSON.stringify({ module: String(module), argument, task });
  const [command = process.execPath, ...rest] = [...within, process.execPath, worker, order];
  const env = { ...process.env, NODE_OPTIONS: "" }; // a test runner's own loaders are not for it
  const child = spawn(command, rest, { env, stdio: ["ignore", "inherit", "pipe", "ipc"] });
  return new ForkedProcess(child);
}

class ForkedProcess implements Remote {
  readonly unread: unknown[] = [];
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #complaint = "";
  #hasEnded = false;
  #wake = () => {};

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#complaint += text;
    });
    child.on("message", (message) => {
      this.unread.push(message);
      this.#wake();
    });
    child.on("error", (error) => {
      this.#complaint += error.message;
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
      if (this.#hasEnded) throw new Error(this.#epitaph());
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.unread.shift();
  }

  #epitaph(): string {
    const { exitCode, signalCode } = this.#child;
    return `A process on the store ended with ${signalCode ?? exitCode}: ${this.#complaint.trim() || "it said nothing"}`;
  }

  send(message: string | number): void {
    this.#child.send(message, () => {}); // one that has ended is not told
  }

  kill(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    this.#child.stderr?.destroy(); // what it has started itself may still hold the other end
    await this.ended;
  }
}
