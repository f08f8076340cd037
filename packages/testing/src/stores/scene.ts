import type { TokenStore } from "@unexpired/core";
import { type ForkOptions, fork, type Remote } from "./fork.ts";
import type { StoreFixture, StoreHarness } from "./harness.ts";
import type { Task } from "./tasks.ts";

/** What one case works with: a place for a session. To dispose of it closes, kills and removes all that came of it. */
export class StoreScene implements AsyncDisposable {
  /** The place, as the harness made it. */
  readonly fixture: StoreFixture;
  readonly #harness: StoreHarness;
  readonly #cleanUp: (() => unknown)[] = [];
  #first: TokenStore | undefined;

  private constructor(harness: StoreHarness, backing: StoreFixture) {
    this.#harness = harness;
    this.fixture = backing;
    this.#cleanUp.push(() => backing.dispose?.());
  }

  /** Has the harness make a place. */
  static async create(harness: StoreHarness): Promise<StoreScene> {
    return new StoreScene(harness, await harness.create());
  }

  /** A store as another holder opens it. Where compare-and-set ends with the store object: the same one each time. */
  async open(): Promise<TokenStore> {
    if (this.#first?.supports?.compareAndSet === "process") return this.#first;
    const store = await this.fixture.open();
    this.#cleanUp.push(() => dispose(store));
    this.#first ??= store;
    return store;
  }

  /** Another place of the same kind. */
  async createScene(): Promise<StoreScene> {
    const scene = await StoreScene.create(this.#harness);
    this.#cleanUp.push(() => scene[Symbol.asyncDispose]());
    return scene;
  }

  /**
   * Does `task` on the place in a process of its own, which is killed when the case is over.
   *
   * @throws TypeError where the harness does not say how another process opens the place
   */
  start(task: Task, options?: ForkOptions): Remote {
    const { childProcess } = this.fixture;
    if (!childProcess) throw new TypeError("The harness does not say how another process opens the store: elsewhere.");
    const remote = fork(childProcess, task, options);
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

/** Closes a store that has something to close. */
export async function dispose(store: TokenStore & Partial<AsyncDisposable>): Promise<void> {
  await store[Symbol.asyncDispose]?.();
}
