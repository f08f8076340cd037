import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Line, MARKER, type Order, type WorkerConfig } from "./messages.ts";

const LONGEST_LINE = 300;
const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));

/** The living child processes. A stopped one would not notice that its parent has exited. */
const living = new Set<ChildProcess>();
process.once("exit", () => {
  for (const each of living) each.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

/** One process, as seen by its round. */
export class Child {
  /** Everything that it wrote to stdout and stderr. */
  printed = "";
  readonly lines: Line[] = [];
  /** Whether it reached its fault point. */
  isHit = false;
  hasEnded = false;
  /** Whether it ever missed a deadline. */
  isLate = false;
  readonly #log: string[] = [];
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  #onLine = () => {};

  constructor(config: WorkerConfig) {
    // The compile cache halves the start-up time.
    const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "unexpired-fault-injection-cache") };
    const stdio = ["ignore", "pipe", "pipe", "ipc"] as const;
    this.#process = fork(WORKER, [JSON.stringify(config)], { stdio: [...stdio], env });
    living.add(this.#process);
    this.#exited = once(this.#process, "exit").then(() => {
      living.delete(this.#process);
      this.hasEnded = true;
      this.#onLine();
    });
    let rest = "";
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.printed += text;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#receive(line);
    });
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.printed += text;
    });
  }

  /** Whether it has presented a refresh token, or is about to, or has shown a prompt. */
  get isPresenting(): boolean {
    return this.lines.some(({ type }) => type === "presented" || type === "prompted");
  }

  /** How many prompts it has shown. */
  get prompts(): number {
    return this.lines.filter(({ type }) => type === "prompted").length;
  }

  /** Whether it has found the sign-in of another process, and no later one. */
  isWaitingFor({ pid }: Child): boolean {
    const last = this.lines.findLast((line) => line.type === "awaited");
    return last?.holder.startsWith(`process ${pid}`) ?? false;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** The outcomes of its calls, oldest first. */
  get outcomes(): readonly string[] {
    return this.lines.flatMap((line) => (line.type === "settled" ? [line.outcome] : []));
  }

  /** Its messages, with timestamps. */
  get log(): string {
    return this.#log.map((line) => `  ${line.slice(0, LONGEST_LINE)}`).join("\n");
  }

  order(order: Order): void {
    if (this.#process.connected) this.#process.send(order, () => {}); // an error means that it has exited
  }

  /** Sends an order and waits for its outcome. */
  async ask(order: Order, deadline: number): Promise<string> {
    const before = this.outcomes.length;
    this.order(order);
    await this.until(() => this.outcomes.length > before, deadline);
    this.isLate ||= this.outcomes.length === before && !this.hasEnded;
    return this.outcomes[before] ?? (this.hasEnded ? "gone" : "silent");
  }

  /** Waits until the condition holds, the process has ended, or `deadline` milliseconds have passed. */
  async until(holds: () => boolean, deadline: number): Promise<void> {
    const end = performance.now() + deadline;
    while (!holds() && !this.hasEnded && performance.now() < end) await this.#nextLine(end - performance.now());
  }

  signal(name: NodeJS.Signals): void {
    if (!this.hasEnded) this.#process.kill(name);
  }

  /** Waits until the process, which has announced that it will stop itself, has stopped or ended. */
  async stopped(): Promise<void> {
    while (!this.hasEnded && !this.isStopped) await sleep(5);
  }

  get isStopped(): boolean {
    return !this.hasEnded && / T /.test(readFileSync(`/proc/${this.pid}/stat`, "utf8").replace(/\(.*\)/, ""));
  }

  async end(): Promise<void> {
    this.signal("SIGCONT");
    this.order({ do: "end" });
    const timer = setTimeout(() => this.signal("SIGKILL"), 5_000);
    await this.#exited;
    clearTimeout(timer);
  }

  #nextLine(wait: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      const onLine = this.#onLine;
      this.#onLine = () => {
        clearTimeout(timer);
        onLine();
        resolve();
      };
    });
  }

  #receive(text: string): void {
    const line = parse(text);
    if (!line) return;
    this.lines.push(line);
    this.#log.push(`${(performance.now() / 1000).toFixed(3)} ${text}`);
    if (line.type === MARKER) this.isHit = true;
    const onLine = this.#onLine;
    this.#onLine = () => {};
    onLine();
  }
}

function parse(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined; // output that is not ours is kept in `printed`
  }
}
