import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** A program that runs as a process of its own. Disposing it kills it. */
export class Program implements AsyncDisposable {
  readonly child: ChildProcess;
  /** Everything that it has printed. */
  output = "";
  readonly #ended: Promise<unknown>;
  readonly #firstLine: Promise<string>;

  /** Starts a file with these environment variables. */
  constructor(file: string, env: NodeJS.ProcessEnv, args: readonly string[] = []) {
    this.child = spawn(process.execPath, [file, ...args], { env: { ...process.env, ...env } });
    this.#ended = once(this.child, "close");
    this.#firstLine = new Promise((resolve, reject) => {
      const onText = (text: string) => {
        this.output += text;
        if (this.output.includes("\n")) resolve(this.output.split("\n")[0] ?? "");
      };
      for (const stream of [this.child.stdout, this.child.stderr]) stream?.setEncoding("utf8").on("data", onText);
      void this.#ended.then(() => reject(new Error(`${file} ended with the output:\n${this.output}`)));
    });
    this.#firstLine.catch(() => {});
  }

  /** Resolves to the first line that it prints. */
  line(): Promise<string> {
    return this.#firstLine;
  }

  /** Ends it as a deploy does, and resolves to its exit code. */
  stop(): Promise<number | null> {
    this.child.kill("SIGTERM");
    return this.ended();
  }

  /** Resolves to its exit code when it has ended. */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.#ended;
  }
}
