import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { CLIENTS, type ClientName, type Message, type Order, type Report, type WorkerConfig } from "./messages.ts";

const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));
const STOP_DEADLINE = 10_000;

/** One process, as the view shows it. */
export interface Member extends Report {
  readonly number: number;
  readonly client: ClientName;
  readonly pid: number;
  /** How it ended: stopped by order, killed by order, or crashed. `undefined` while it is running. */
  readonly end?: "stopped" | "killed" | "crashed";
}

/** Reports an event of the processes as text. */
export type Tell = (text: string) => void;

/** The processes of one run. */
export class Fleet {
  readonly #workers: Worker[] = [];
  readonly #config: Omit<WorkerConfig, "client">;
  readonly #tell: Tell;

  constructor(config: Omit<WorkerConfig, "client">, tell: Tell) {
    this.#config = config;
    this.#tell = tell;
  }

  get members(): readonly Member[] {
    return this.#workers.map((worker) => worker.member);
  }

  /** Starts `count` processes and resolves when all of them are ready. */
  async start(count: number): Promise<void> {
    const clients = Array.from({ length: count }, (_, index) => CLIENTS[index % CLIENTS.length] ?? "axios");
    await Promise.all(clients.map((client) => this.#start(client).ready));
  }

  /** Lets all processes begin at once. */
  go(): void {
    for (const worker of this.#workers) worker.order("go");
  }

  /** Kills the first process while it has no exchange in flight, and starts another with the same client. */
  async killOneAndStartAnother(): Promise<void> {
    const [victim] = this.#workers;
    if (!victim) return;
    victim.order("die");
    await victim.ended;
    this.#tell(`process ${victim.member.number} was killed (SIGKILL)`);
    const successor = this.#start(victim.member.client);
    await successor.ready;
    successor.order("go");
    this.#tell(`process ${successor.member.number} took its place (pid ${successor.member.pid})`);
  }

  /** Lets the requests in flight finish, then ends the processes. */
  async stop(): Promise<void> {
    for (const worker of this.#workers) worker.order("stop");
    const deadline = setTimeout(() => this.kill(), STOP_DEADLINE);
    await Promise.all(this.#workers.map((worker) => worker.ended));
    clearTimeout(deadline);
  }

  /** Ends all processes at once. Synchronous, so that an `exit` handler can call it. */
  kill(): void {
    for (const worker of this.#workers) worker.kill();
  }

  #start(client: ClientName): Worker {
    const worker = new Worker(this.#workers.length + 1, { ...this.#config, client }, this.#tell);
    this.#workers.push(worker);
    return worker;
  }
}

class Worker {
  member: Member;
  /** Resolves when the process can begin; rejects if it ends before that. */
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #tell: Tell;
  readonly #orders = new Set<Order>();

  constructor(number: number, config: WorkerConfig, tell: Tell) {
    this.#tell = tell;
    this.#child = fork(WORKER, [JSON.stringify(config)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    const pid = this.#child.pid ?? 0;
    this.member = { number, client: config.client, pid, status: "starting", requests: 0, failed: 0, exchanges: 0 };
    this.#child.on("message", (message: Message) => this.#receive(message));
    this.ended = once(this.#child, "exit").then(([code, signal]) => this.#end(code, signal));
    this.ready = new Promise((resolve, reject) => {
      this.#child.on("message", (message: Message) => message.type === "ready" && resolve());
      void this.ended.then(() =>
        reject(new Error(`Process ${number} (${config.client}) ended before it could begin.`)),
      );
    });
    this.ready.catch(() => {}); // handled by the caller that waits for it
  }

  order(order: Order): void {
    this.#orders.add(order);
    if (this.#child.connected) this.#child.send(order, () => {}); // if it has exited, `ended` reports that
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #receive(message: Message): void {
    if (message.type === "report") this.member = { ...this.member, ...message.report };
    if (message.type === "failure")
      this.#tell(`process ${this.member.number} (${this.member.client}): ${message.text}`);
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    const killed = signal === "SIGKILL" || (process.platform === "win32" && code === 1);
    const end = this.#orders.has("die") && killed ? "killed" : code === 0 ? "stopped" : "crashed";
    this.member = { ...this.member, end };
    if (end === "crashed") this.#tell(`process ${this.member.number} crashed (${signal ?? `exit code ${code}`})`);
  }
}
