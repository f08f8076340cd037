import { createTokenManager, type TokenManager } from "@unexpired/core";
import type { Call } from "./calls.ts";
import { IMPATIENT } from "./calls.ts";
import { refreshOf } from "./endpoint.ts";
import type { SimulatedProcess } from "./process.ts";
import { readToken, refreshTokenOf, shortAccess } from "./tokens.ts";
import { flowOf, type User } from "./users.ts";
import type { World } from "./world.ts";

/** A program in a process: a real token manager, and the program's calls to it. */
export class Program {
  readonly process: SimulatedProcess;
  readonly manager: TokenManager;
  isClosed = false;
  /** The last access token that it received. */
  given: string | undefined;
  readonly #world: World;

  constructor(world: World, slot: number) {
    this.#world = world;
    this.process = world.spawn(slot);
    const { graceSeconds, afterLoss, background } = world.options;
    this.manager = createTokenManager({
      store: world.storeFor(this.process),
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
    return this.#call("get", () => this.manager.getAccessToken());
  }

  /** Asks for a token, and aborts after `patience` milliseconds. */
  getImpatiently(patience: number): Promise<string | undefined> {
    const controller = new AbortController();
    this.process.later("lose patience", () => controller.abort(IMPATIENT), patience);
    return this.#call("get, impatient", () => this.manager.getAccessToken({ signal: controller.signal }));
  }

  /** Reports that the API rejected a token. */
  replace(accessToken: string): Promise<string | undefined> {
    return this.#call("replace", () => this.manager.replaceRejected(accessToken), accessToken);
  }

  refresh(): Promise<string | undefined> {
    return this.#call("refresh", async () => (await this.manager.refresh()).accessToken);
  }

  /** Signs the user in to this account. */
  async signIn(account: string): Promise<void> {
    const tokens = this.#world.server.signIn(account, this.process.clock.now());
    this.#world.invariants.callers.onIssued(tokens.accessToken, { isExpiryKnown: true });
    const run = async () => {
      await this.manager.signIn(tokens);
      this.#onSignedIn(tokens.accessToken);
      return undefined;
    };
    await this.#call("signIn", run, tokens.accessToken);
  }

  /**
   * The record of a shared store, and with it the knowledge of the session's first token, is never lost. With the same IDs,
   * the same sign-in by another process counts as this one.
   */
  #onSignedIn(accessToken: string): void {
    const { kind, sameIds } = this.#world.options;
    if (kind === "shared" && !sameIds) this.#world.seed ??= refreshTokenOf({ ...readToken(accessToken), number: 1 });
  }

  /** Signs in with a flow, in which this user takes part. */
  async signInWith(user: User): Promise<void> {
    const controller = new AbortController();
    const { patience } = user;
    if (patience !== undefined) this.process.later("lose patience", () => controller.abort(IMPATIENT), patience);
    await this.#call("signInWith", async (call) => {
      const flow = flowOf(this.#world, call, user);
      call.isStarter = await this.manager.signInWith(flow, { signal: controller.signal });
      if (call.isStarter && call.accessToken !== undefined) this.#onSignedIn(call.accessToken);
      return undefined;
    });
  }

  /** Adopts the refresh token of the first sign-in, as a program does that finds it in its environment at every start. */
  async adopt(): Promise<void> {
    const { seed, invariants } = this.#world;
    if (seed === undefined || invariants.failovers.hasEmptied) return; // no record knows the token any more
    await this.#call("adopt", async () => {
      const isStored = await this.manager.adopt({ refreshToken: seed });
      invariants.require(
        !isStored || invariants.failovers.hasEmptied,
        "P3",
        () => `${this.process.name} adopted a token that was used before`,
      );
      return undefined;
    });
  }

  async signOut(): Promise<void> {
    await this.#call("signOut", () => this.manager.signOut().then(() => undefined));
  }

  /** Signs out while tokens are refreshed, and then asks for a token. */
  signOutDuringRefresh(): void {
    void this.refresh();
    const then = async () => {
      await this.signOut();
      this.process.later("ask after the sign-out", () => void this.get(), 1_000);
    };
    this.process.later("sign out", () => void then(), 10);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.#call("close", () => this.manager.close().then(() => undefined));
  }

  /** The error of the last call; `undefined` if it succeeded. */
  error: unknown;

  async #call(
    kind: Call["kind"],
    run: (call: Call) => Promise<string | undefined>,
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
    this.#world.note(this.process.name, `  calls: ${about}`);
    try {
      const given = await run(call);
      this.error = undefined;
      this.given = given ?? this.given;
      this.#world.note(
        this.process.name,
        `  ${about}: ${given === undefined ? "done" : shortAccess(readToken(given))}`,
      );
      callers.onResolved(call, given);
      return given;
    } catch (error) {
      this.error = error;
      this.#world.note(this.process.name, `  ${about}: ${error instanceof Error ? error.message : String(error)}`);
      callers.onRejected(call, error);
      return undefined;
    }
  }
}
