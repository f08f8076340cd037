import { createTokenManager, type TokenManager } from "@unexpired/core";
import type { Call } from "./caller-invariants.ts";
import { IMPATIENT } from "./caller-invariants.ts";
import { refreshOf } from "./endpoint.ts";
import type { SimulatedProcess } from "./process.ts";
import { readToken, shortAccess } from "./tokens.ts";
import type { World } from "./world.ts";

/** A program in a process: a real token manager, and what the program asks of it. */
export class Program {
  readonly process: SimulatedProcess;
  readonly manager: TokenManager;
  isClosed = false;
  /** The access token that it was given last. */
  given: string | undefined;
  readonly #world: World;

  constructor(world: World, slot: number) {
    this.#world = world;
    this.process = world.spawn(slot);
    const { graceSeconds, afterLoss, background } = world.options;
    this.manager = createTokenManager({
      store: world.store.storeFor(this.process),
      refresh: refreshOf(world, this.process),
      clock: this.process.clock,
      provider: { rotation: true, graceSeconds, afterLoss },
      background,
      account: ({ accessToken }) => readToken(accessToken).account,
    });
    this.manager.subscribe((event) => {
      world.invariants.callers.onEvent(this.process, event);
      if (world.isTracing) world.note(this.process.name, `  event: ${JSON.stringify(event)}`);
    });
  }

  /** Asks for a token. */
  get(): Promise<string | undefined> {
    return this.#ask("get", () => this.manager.getAccessToken());
  }

  /** Asks for a token, and leaves after `patience` milliseconds. */
  getImpatiently(patience: number): Promise<string | undefined> {
    const controller = new AbortController();
    this.process.later("lose patience", () => controller.abort(IMPATIENT), patience);
    return this.#ask("get, impatient", () => this.manager.getAccessToken({ signal: controller.signal }));
  }

  /** Tells that the API refused a token. */
  replace(accessToken: string): Promise<string | undefined> {
    return this.#ask("replace", () => this.manager.replaceRejected(accessToken), accessToken);
  }

  refresh(): Promise<string | undefined> {
    return this.#ask("refresh", async () => (await this.manager.refresh()).accessToken);
  }

  /** The user signs in, as this account. */
  async signIn(account: string): Promise<void> {
    const tokens = this.#world.server.signIn(account, this.process.clock.now());
    this.#world.invariants.callers.onIssued(tokens.accessToken);
    await this.#ask("signIn", () => this.manager.signIn(tokens).then(() => undefined), tokens.accessToken);
  }

  async signOut(): Promise<void> {
    await this.#ask("signOut", () => this.manager.signOut().then(() => undefined));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.#ask("close", () => this.manager.close().then(() => undefined));
  }

  /** The error of the last call that failed. */
  error: unknown;

  async #ask(
    kind: Call["kind"],
    run: () => Promise<string | undefined>,
    accessToken?: string,
  ): Promise<string | undefined> {
    const { callers } = this.#world.invariants;
    const call: Call = {
      process: this.process,
      kind,
      accessToken,
      startedAt: this.#world.scheduler.now,
      isFirst: !this.manager.state,
    };
    callers.onStart(call);
    const about = accessToken === undefined ? kind : `${kind} ${shortAccess(readToken(accessToken))}`;
    this.#world.note(this.process.name, `  asks: ${about}`);
    try {
      const given = await run();
      this.error = undefined;
      this.given = given ?? this.given;
      this.#world.note(
        this.process.name,
        `  ${about}: ${given === undefined ? "done" : shortAccess(readToken(given))}`,
      );
      callers.onGiven(call, given);
      return given;
    } catch (error) {
      this.error = error;
      this.#world.note(this.process.name, `  ${about}: ${error instanceof Error ? error.message : String(error)}`);
      callers.onRefused(call, error);
      return undefined;
    }
  }
}
