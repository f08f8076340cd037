interface AsyncContext {
  run<T>(store: unknown, run: () => T): T;
  getStore(): unknown;
}

interface Builtins {
  readonly getBuiltinModule?: (name: string) => { AsyncLocalStorage?: new () => AsyncContext } | undefined;
}

/**
 * Tells whether code runs inside of a call that is in progress: on Node.js, Deno and Bun also after the call has awaited
 * something, elsewhere only before that.
 */
export class CallScope {
  readonly #context = createContext();
  #isStarting = false;
  #current: object | undefined;

  /** Runs an asynchronous call, one at a time. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const current = {};
    this.#current = current;
    const start = () => {
      this.#isStarting = true;
      try {
        return call();
      } finally {
        this.#isStarting = false;
      }
    };
    try {
      return await (this.#context ? this.#context.run(current, start) : start());
    } finally {
      if (this.#current === current) this.#current = undefined;
    }
  }

  /** Whether this code runs inside of the call. */
  get isInside(): boolean {
    return this.#isStarting || (this.#current !== undefined && this.#context?.getStore() === this.#current);
  }
}

function createContext(): AsyncContext | undefined {
  const { process } = globalThis as { readonly process?: Builtins };
  const Storage = process?.getBuiltinModule?.("node:async_hooks")?.AsyncLocalStorage;
  return Storage && new Storage();
}
