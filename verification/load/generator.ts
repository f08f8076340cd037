import { Agent, get } from "node:http";
import { setTimeout } from "node:timers/promises";
import type { Schedule } from "./schedule.ts";

/** Where requests are sent. A process that was killed has no port until it is back. */
export interface Target {
  port: number | undefined;
}

/** The load of a run. */
export interface LoadOptions {
  readonly users: readonly string[];
  readonly targets: readonly Target[];
  readonly schedule: Schedule;
  /** Requests in a second, to all processes together. */
  readonly rate: number;
  /** Milliseconds. */
  readonly duration: number;
}

/** The outcomes of the requests. */
export interface LoadReport {
  readonly requests: number;
  /** The responses with another status than 200, and connections that were lost, by reason. */
  readonly failures: Readonly<Record<string, number>>;
  /** Requests to a process that was killed before it responded. */
  readonly interrupted: number;
  /** The times of the responses in milliseconds: the median, and the slowest of a hundred. */
  readonly median: number;
  readonly slowest: number;
}

const TICK = 10; // ms
const MOST_PENDING = 200; // requests; above that, the load waits for the servers

/** Sends each user's requests to all processes at once, in random order, so that they compete for the same refresh. */
export class Generator {
  readonly #options: LoadOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 500 });
  readonly #pending = new Set<Promise<void>>();
  readonly #times: number[] = [];
  readonly #failures: Record<string, number> = {};
  #requests = 0;
  #interrupted = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Sends requests until the time is over and each has its response. */
  async run(): Promise<LoadReport> {
    const { duration, rate, targets } = this.#options;
    const began = performance.now();
    for (let sent = 0, passed = 0; passed < duration; passed = performance.now() - began) {
      const due = (passed / 1_000) * (rate / targets.length);
      for (; sent < due && this.#pending.size < MOST_PENDING; sent++) this.#sendForUser();
      await setTimeout(TICK);
    }
    await Promise.all(this.#pending);
    this.#agent.destroy();
    return this.#report();
  }

  #sendForUser(): void {
    const { users, targets, schedule } = this.#options;
    const user = users[Math.floor(Math.random() * users.length)] ?? "";
    for (const target of shuffle(targets)) {
      const end = schedule.begin(user, Date.now());
      const sent = this.#send(target, user).finally(() => end(Date.now()));
      this.#pending.add(sent);
      void sent.then(() => this.#pending.delete(sent));
    }
  }

  async #send(target: Target, user: string): Promise<void> {
    const { port } = target;
    if (port === undefined) return;
    const began = performance.now();
    const result = await fetchStatus(port, user, this.#agent).catch((error: Error) => error.message);
    if (target.port !== port) return void this.#interrupted++;
    this.#requests++;
    this.#times.push(performance.now() - began);
    if (result !== "200") this.#failures[result] = (this.#failures[result] ?? 0) + 1;
  }

  #report(): LoadReport {
    const sorted = this.#times.toSorted((a, b) => a - b);
    const at = (part: number) => sorted[Math.floor(sorted.length * part)] ?? 0;
    const { median, slowest } = { median: at(0.5), slowest: at(0.99) };
    return { requests: this.#requests, failures: this.#failures, interrupted: this.#interrupted, median, slowest };
  }
}

/** Resolves to the status of a response, and to its body as well if it is not 200. */
function fetchStatus(port: number, user: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, path: `/${user}`, agent }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("error", reject);
      response.on("end", () => resolve(response.statusCode === 200 ? "200" : `${response.statusCode} ${body}`));
    });
    request.on("error", reject);
  });
}

function shuffle<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
