import { Browser } from "@unexpired-internal/demo/browser";
import { Program } from "./program.ts";
import { until } from "./until.ts";

type Env = Readonly<Record<string, string>>;

/** Several processes of an agent, which print a line `turn N with …` after each turn. */
export class Crew {
  readonly #file: string;
  readonly #env: Env;
  readonly #started: Program[] = [];
  readonly #ended = new Set<Program>();

  /** `file` is the path of the program's source. */
  constructor(file: string, env: Env) {
    this.#file = file;
    this.#env = env;
  }

  start(): void {
    const tokenEndpoint = `${this.#env.TOKEN_ENDPOINT}?process=${this.#started.length + 1}`;
    const agent = new Program(this.#file, { env: { ...this.#env, TOKEN_ENDPOINT: tokenEndpoint } });
    void agent.ended.then(() => this.#ended.add(agent));
    this.#started.push(agent);
  }

  /** Those that are running. */
  get all(): readonly Program[] {
    return this.#started.filter((agent) => !this.#ended.has(agent));
  }

  /** The lines of all agents, of those that have ended, too. */
  get output(): string {
    return this.#started.map(({ output }) => output).join("\n");
  }

  /** Returns the lines of all agents that match. */
  lines(pattern: RegExp): string[] {
    return this.#started.flatMap(({ lines }) => lines.filter((line) => pattern.test(line)));
  }

  /** Returns how many lines of all agents match. */
  count(pattern: RegExp): number {
    return this.lines(pattern).length;
  }

  /** Waits until each agent has done two more turns: at least one of them has begun since. */
  async work(): Promise<void> {
    const goals = this.all.map((agent) => ({ agent, turns: agent.count(/^turn \d+ with/) + 2 }));
    await until("two more turns of each agent", () =>
      goals.every(({ agent, turns }) => agent.count(/^turn \d+ with/) >= turns),
    );
  }

  /** Returns the agent with this number: 1 for the first that was started. */
  member(number: number): Program {
    const agent = this.#started[number - 1];
    if (!agent) throw new Error(`There is no agent ${number}.`);
    return agent;
  }

  /** Runs one more agent, with other variables, until it has printed a line that matches. */
  async runAlone(env: Env, pattern: RegExp): Promise<Program> {
    const agent = new Program(this.#file, { env: { ...this.#env, ...env } });
    try {
      await until(String(pattern), () => agent.count(pattern) > 0);
    } finally {
      agent.signal("SIGTERM");
      await agent.ended;
    }
    return agent;
  }

  /** Runs the command `login`, as which the user enters the code that it shows at the authorization server `issuer`. */
  async login(issuer: string): Promise<void> {
    const login = new Program(this.#file, { args: ["login"], env: this.#env });
    const shown = () => /^ {2}(http\S+)$.*^ {2}([A-Z-]{9})$/ms.exec(login.output);
    await until("the code", () => shown() !== null);
    const [, url = "", code = ""] = shown() ?? [];
    await new Browser(issuer).decideForDevice(`${url}?user_code=${code}`);
    if ((await login.ended) !== 0) throw new Error(`login failed: ${login.output}`);
  }

  async stop(): Promise<void> {
    for (const agent of this.all) agent.signal("SIGTERM");
    await Promise.all(this.all.map(({ ended }) => ended));
  }
}
