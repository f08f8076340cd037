/** Calls between this process and processes that it has started. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly problem?: string;
}

/** A process that runs one of the files of this folder, and ends with this one. Disposing it kills it. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #calls = 0;

  /** Starts a file with a configuration: see {@link answerParent}. */
  constructor(file: string, config: unknown, execArgv: string[] = []) {
    this.#process = fork(join(import.meta.dirname, file), [JSON.stringify(config)], { execArgv });
    this.#process.on("message", (reply: Reply) => {
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
    this.#process.on("exit", (code, signal) => {
      for (const [id, settle] of this.#waiting) settle({ id, problem: `${file} has ended (${signal ?? code})` });
    });
  }

  /** Calls a function of the process. Rejects if it fails, or if the process ends. */
  call<T>(name: string, argument?: unknown): Promise<T> {
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ value, problem }) =>
        problem === undefined ? resolve(value as T) : reject(new Error(problem)),
      );
      this.#process.send({ id, name, argument } satisfies Call);
    });
  }

  /** Kills the process at once, with SIGKILL. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** Returns the configuration that the parent has passed. */
export const configOf = <T>(): T => JSON.parse(process.argv[2] ?? "") as T;

/** Runs the calls of the parent, until it ends. */
export function answerParent(functions: Readonly<Record<string, (argument: never) => unknown>>): void {
  process.on("message", async ({ id, name, argument }: Call) => {
    try {
      process.send?.({ id, value: await functions[name]?.(argument as never) } satisfies Reply);
    } catch (error) {
      process.send?.({
        id,
        problem: error instanceof Error ? (error.stack ?? error.message) : String(error),
      } satisfies Reply);
    }
  });
  process.on("disconnect", () => process.exit());
}
