import { setTimeout } from "node:timers/promises";
import type { AuthorizationReport, IssuedTokens } from "./authorization.ts";
import type { AuthorizationConfig } from "./authorization-process.ts";
import type { ServerConfig } from "./backend.ts";
import { openBackend } from "./backends.ts";
import { Child } from "./child.ts";
import type { EngineConfig } from "./engine.ts";
import { Generator, type LoadReport, type Target } from "./generator.ts";
import { Schedule } from "./schedule.ts";
import type { ServerWork } from "./server.ts";

/** A run of the load test. */
export interface RunOptions {
  readonly engine: EngineConfig;
  readonly backend: ServerConfig["backend"];
  readonly processes: number;
  readonly users: number;
  /** Of the load. */
  readonly seconds: number;
  /** Requests in a second, to all processes together. */
  readonly rate: number;
  /** Whether one of the processes is killed and started again. */
  readonly restart: boolean;
}

/** The figures of a run. */
export interface RunReport extends LoadReport, Omit<AuthorizationReport, "exchanges"> {
  readonly exchanges: number;
  /** Requests in a second. */
  readonly rate: number;
  /** Whether a process was killed. */
  readonly restart: boolean;
  /** The exchanges that were due: one for each user and expiry. */
  readonly expected: number;
  /** The exchanges beyond those that were due for their user. */
  readonly extra: number;
  /** Processor time of the server processes for each request, in microseconds. */
  readonly cpu: number;
}

const LIFETIME = 20; // seconds
const SHORTEST = 5; // seconds; the first tokens expire at different times
const LATENCY = 50; // ms of an exchange
const GRACE = 60; // seconds; only with a restart, because a killed process takes a response with it
const DOWN = 2_000; // ms

/** Runs server processes under load, and returns what happened. */
export async function run(options: RunOptions): Promise<RunReport> {
  await using scene = await Scene.create(options);
  const users = Array.from({ length: options.users }, (_, index) => `user-${index}`);
  await scene.signIn(users);
  await scene.startServers();
  const { targets, schedule } = scene;
  const duration = options.seconds * 1_000;
  const generator = new Generator({ users, targets, schedule, rate: options.rate, duration });
  const restarted = options.restart ? scene.restartLater(duration / 3) : undefined;
  const warm = setTimeout(duration / 6).then(() => scene.takeWork());
  const [load] = await Promise.all([generator.run(), restarted, warm]);
  return await scene.report(load);
}

/** The processes of a run. */
class Scene implements AsyncDisposable {
  readonly targets: Target[] = [];
  readonly schedule = new Schedule(LIFETIME);
  readonly #options: RunOptions;
  readonly #authorization: Child;
  readonly #grace: number;
  #origin = "";
  readonly #servers: Child[] = [];

  static async create(options: RunOptions): Promise<Scene> {
    const scene = new Scene(options);
    scene.#origin = await scene.#authorization.call("origin");
    return scene;
  }

  private constructor(options: RunOptions) {
    this.#options = options;
    this.#grace = options.restart ? GRACE : 0;
    const config: AuthorizationConfig = { lifetime: LIFETIME, grace: this.#grace, latency: LATENCY };
    this.#authorization = new Child("authorization-process.ts", config);
  }

  #configOf(client: string): ServerConfig {
    const { backend, engine } = this.#options;
    return { backend, engine, origin: this.#origin, client, grace: this.#grace };
  }

  async signIn(users: readonly string[]): Promise<void> {
    await using backend = openBackend(this.#configOf("sign-in"));
    const signIn = async (user: string, index: number) => {
      const lifetime = SHORTEST + ((LIFETIME - SHORTEST) * index) / users.length;
      const tokens = await this.#authorization.call<IssuedTokens>("start", { user, lifetime });
      this.schedule.start(user, tokens.expiresAt - this.#windowOf(lifetime) * 1_000);
      await backend.signIn(user, tokens);
    };
    await Promise.all(users.map(signIn));
  }

  /** In seconds: Unexpired takes a fifth of the lifetime, and the lock has a fixed time. */
  #windowOf(lifetime: number): number {
    return (this.#options.backend === "lock" ? LIFETIME : lifetime) / 5;
  }

  async startServers(): Promise<void> {
    const indexes = Array.from({ length: this.#options.processes }, (_, index) => index);
    this.targets.push(...indexes.map(() => ({ port: undefined })));
    await Promise.all(indexes.map((index) => this.#startServer(index, `server-${index}`)));
  }

  async #startServer(index: number, client: string): Promise<void> {
    const server = new Child("server.ts", this.#configOf(client));
    this.#servers[index] = server;
    const port = await server.call<number>("port");
    const target = this.targets[index];
    if (target) target.port = port;
  }

  /** Kills the first process after some milliseconds, and starts it again as a client of another name. */
  async restartLater(delay: number): Promise<void> {
    await setTimeout(delay);
    const [target, server] = [this.targets[0], this.#servers[0]];
    if (!target || !server) return;
    target.port = undefined;
    await server.kill();
    await this.#authorization.call("kill", "server-0");
    await setTimeout(DOWN);
    await this.#startServer(0, "server-0-again");
  }

  /** Takes the work of all processes since the last call. */
  async takeWork(): Promise<ServerWork> {
    const works = await Promise.all(this.#servers.map((server) => server.call<ServerWork>("takeWork")));
    return {
      requests: works.reduce((sum, { requests }) => sum + requests, 0),
      cpu: works.reduce((sum, { cpu }) => sum + cpu, 0),
    };
  }

  async report(load: LoadReport): Promise<RunReport> {
    const { restart, seconds } = this.#options;
    const work = await this.takeWork();
    await Promise.all(this.#servers.map((server) => server.call("close"))); // waits for exchanges in the background
    const { exchanges, ...others } = await this.#authorization.call<AuthorizationReport>("report");
    const due = this.schedule.exchanges;
    const extra = Object.entries(exchanges).map(([user, count]) => Math.max(0, count - (due[user] ?? 0)));
    return {
      ...load,
      ...others,
      restart,
      rate: load.requests / seconds,
      exchanges: sum(Object.values(exchanges)),
      expected: sum(Object.values(due)),
      extra: sum(extra),
      cpu: work.cpu / work.requests,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#authorization, ...this.#servers].map((child) => child.kill()));
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
