/** Processes of this library (fixtures/document-agent.ts) and of other programs that share one document. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { jsonFormat } from "@unexpired/store-node";

const FIXTURES = join(import.meta.dirname, "../fixtures");

export const agentFormat = jsonFormat({
  at: ["oauth"],
  fields: {
    accessToken: "access_token",
    refreshToken: "refresh_token",
    expiresAt: { path: "expires_at", unit: "ms" },
  },
});

export interface AgentOptions {
  readonly path: string;
  readonly tokenEndpoint: string;
  readonly clientId: string;
}

/** The report of an agent at its end. */
export interface AgentReport {
  /** How many exchanges it began. */
  exchanges: number;
  /** How many writes of the other program it knows to be lost. */
  lost: number;
  /** How often it looked into the document, and how often that showed its session. */
  looks: number;
  shown: number;
  readonly errors: string[];
}

/** The report of another program at its end. */
export interface ForeignReport {
  readonly writes: number;
  readonly lost: number;
  readonly changed: number;
}

/** An agent and what it announces. */
export class Agent implements Disposable {
  readonly #child: ChildProcess;
  readonly #seen: unknown[] = [];
  #isSeen = (): void => undefined;

  constructor(options: AgentOptions) {
    this.#child = fork(join(FIXTURES, "document-agent.ts"), [JSON.stringify(options)]);
    this.#child.on("message", (message) => {
      this.#seen.push(message);
      this.#isSeen();
    });
  }

  send(order: "fast" | "slow"): void {
    this.#child.send(order);
  }

  /** Resolves once it has announced this, since the last call. */
  async announces(status: string): Promise<void> {
    while (this.#seen.shift() !== status) {
      if (this.#seen.length === 0)
        await new Promise<void>((resolve) => {
          this.#isSeen = resolve;
        });
    }
  }

  async end(): Promise<AgentReport> {
    this.#child.send("end");
    await once(this.#child, "disconnect");
    return this.#seen.at(-1) as AgentReport;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

/** Starts a program that rewrites the document. `order` sends it a command, and `end` resolves to its report. */
export function startForeignProgram(program: readonly [command: string, script: string], args: readonly string[]) {
  const [command, script] = program;
  const child = spawn(command, [join(FIXTURES, script), ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const output = text(child.stdout);
  return {
    order: (line: string): void => void child.stdin.write(`${line}\n`),
    async end(): Promise<ForeignReport> {
      child.stdin.end("end\n");
      return JSON.parse(await output) as ForeignReport;
    },
    [Symbol.dispose]: (): void => void child.kill("SIGKILL"),
  };
}
