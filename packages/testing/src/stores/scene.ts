import type { TokenStore } from "@unexpired/core";
import { type ForkOptions, fork, type Remote } from "./fork.ts";
import type { StoreFixture, StoreHarness } from "./harness.ts";
import type { Task } from "./tasks.ts";
import { limitTime, TIMEOUT, withTimeLimit } from "./time-limit.ts";

/** Options of {@link describeTokenStore} and {@link runCase}. */
export interface StoreOptions {
  /**
   * The time limit of each operation of the store, in milliseconds, so that a store that hangs fails a case in that
   * time. Default 20,000: operations take milliseconds, and a store that waits for a lock or a server should itself give
   * up after 5 to 10 seconds.
   */
  readonly timeout?: number | undefined;
}

/**
 * The environment of one case: a location for a session. Disposing it closes all stores, kills all processes, and
 * cleans up.
 */
export class StoreScene implements AsyncDisposable {
  /** The location that the harness created. */
  readonly fixture: StoreFixture;
  /** The secrets of the harness. */
  readonly secrets: readonly string[];
  readonly #harness: StoreHarness;
  readonly #timeout: number;
  readonly #cleanUp: (() => unknown)[] = [];
  #first: TokenStore | undefined;

  private constructor(harness: StoreHarness, backing: StoreFixture, timeout: number) {
    this.#harness = harness;
    this.#timeout = timeout;
    this.secrets = harness.secrets ?? [];
    this.fixture = backing;
    this.#cleanUp.push(() => backing.dispose?.());
  }

  /** Creates a scene with a new location of the harness. */
  static async create(harness: StoreHarness, { timeout = TIMEOUT }: StoreOptions = {}): Promise<StoreScene> {
    return new StoreScene(harness, await harness.create(), timeout);
  }

  /**
   * Opens a store as another holder would. If compare-and-set holds only within one store object, returns that object
   * again.
   */
  async open(): Promise<TokenStore> {
    if (this.#first?.supports?.compareAndSet === "process") return this.#first;
    const store = await this.#use(this.fixture.open(), "open()");
    this.#first ??= store;
    return store;
  }

  /**
   * Opens a store on another key of the same database.
   *
   * @throws TypeError if the fixture has no `openNeighbor`
   */
  async openNeighbor(): Promise<TokenStore> {
    const { openNeighbor } = this.fixture;
    if (!openNeighbor) throw new TypeError("The fixture of the harness has no `openNeighbor`.");
    return this.#use(openNeighbor.call(this.fixture), "openNeighbor()");
  }

  async #use(opened: TokenStore | Promise<TokenStore>, what: string): Promise<TokenStore> {
    const store = await limitTime(this.#timeout, { clause: "load", what: `${what} of the harness` }, opened);
    this.#cleanUp.push(() => limitTime(this.#timeout, { clause: "idle", what: "Closing the store" }, dispose(store)));
    return withTimeLimit(store, this.#timeout);
  }

  /** Interrupts the storage while `body` runs. */
  async interrupt(body: () => Promise<void>): Promise<void> {
    const restore = await this.fixture.interrupt?.();
    try {
      await body();
    } finally {
      await restore?.();
    }
  }

  /** Creates a second location with the same harness. */
  async createScene(): Promise<StoreScene> {
    const scene = await StoreScene.create(this.#harness, { timeout: this.#timeout });
    this.#cleanUp.push(() => scene[Symbol.asyncDispose]());
    return scene;
  }

  /**
   * Starts a process that runs `task` on the location. It is killed at the end of the case.
   *
   * @throws TypeError if the fixture has no `childProcess`
   */
  start(task: Task, options?: ForkOptions): Remote {
    const { childProcess } = this.fixture;
    if (!childProcess)
      throw new TypeError("The harness cannot open the store in another process. Set `childProcess` on its fixture.");
    const remote = fork(childProcess, task, { timeout: this.#timeout, ...options });
    this.#cleanUp.push(() => remote[Symbol.asyncDispose]());
    return remote;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const cleanUp of this.#cleanUp.splice(0).reverse()) {
      try {
        await cleanUp();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** Closes a store if it is disposable. */
export async function dispose(store: TokenStore & Partial<AsyncDisposable>): Promise<void> {
  await store[Symbol.asyncDispose]?.();
}
