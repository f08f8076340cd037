import type { TokenStore } from "@unexpired/core";
import { type ForkOptions, fork, type Remote } from "./fork.ts";
import type { Backing, StoreHarness } from "./harness.ts";
import type { Task } from "./tasks.ts";

/** What one case works with: a place for a session. To dispose of it closes, kills and removes all that came of it. */
export class Scene implements AsyncDisposable {
  /** The place, as the harness made it. */
  readonly backing: Backing;
  readonly #harness: StoreHarness;
  readonly #cleanUp: (() => unknown)[] = [];
  #first: TokenStore | undefined;

  private constructor(harness: StoreHarness, backing: Backing) {
    this.#harness = harness;
    this.backing = backing;
    this.#cleanUp.push(() => backing.dispose?.());
  }

  /** Has the harness make a place. */
  static async create(harness: StoreHarness): Promise<Scene> {
    return new Scene(harness, await harness.create());
  }

  /** A store as another holder opens it. Where compare-and-set ends with the store object: the same one each time. */
  async open(): Promise<TokenStore> {
    if (this.#first?.supports?.compareAndSet === "process") return this.#first;
    const store = await this.backing.open();
    this.#cleanUp.push(() => dispose(store));
    this.#first ??= store;
    return store;
  }

  /** Another place of the same kind. */
  async another(): Promise<Scene> {
    const scene = await Scene.create(this.#harness);
    this.#cleanUp.push(() => scene[Symbol.asyncDispose]());
    return scene;
  }

  /**
   * Does `task` on the place in a process of its own, which is killed when the case is over.
   *
   * @throws TypeError where the harness does not say how another process opens the place
   */
  start(task: Task, options?: ForkOptions): Remote {
    const { elsewhere } = this.backing;
    if (!elsewhere) throw new TypeError("The harness does not say how another process opens the store: elsewhere.");
    const remote = fork(elsewhere, task, options);
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
