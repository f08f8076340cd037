import type { TokenStore } from "@unexpired/core";
import { type ForkOptions, fork, type Remote } from "./fork.ts";
import type { StoreFixture, StoreHarness } from "./harness.ts";
import type { Task } from "./tasks.ts";

/**
 * The environment of one case: a location for a session. Disposing it closes all stores, kills all processes, and
 * cleans up.
 */
export class StoreScene implements AsyncDisposable {
  /** The location that the harness created. */
  readonly fixture: StoreFixture;
  readonly #harness: StoreHarness;
  readonly #cleanUp: (() => unknown)[] = [];
  #first: TokenStore | undefined;

  private constructor(harness: StoreHarness, backing: StoreFixture) {
    this.#harness = harness;
    this.fixture = backing;
    this.#cleanUp.push(() => backing.dispose?.());
  }

  /** Creates a scene with a new location of the harness. */
  static async create(harness: StoreHarness): Promise<StoreScene> {
    return new StoreScene(harness, await harness.create());
  }

  /**
   * Opens a store as another holder would. If compare-and-set holds only within one store object, returns that object
   * again.
   */
  async open(): Promise<TokenStore> {
    if (this.#first?.supports?.compareAndSet === "process") return this.#first;
    const store = await this.fixture.open();
    this.#cleanUp.push(() => dispose(store));
    this.#first ??= store;
    return store;
  }

  /** Creates a second location with the same harness. */
  async createScene(): Promise<StoreScene> {
    const scene = await StoreScene.create(this.#harness);
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

/** Closes a store if it is disposable. */
export async function dispose(store: TokenStore & Partial<AsyncDisposable>): Promise<void> {
  await store[Symbol.asyncDispose]?.();
}
