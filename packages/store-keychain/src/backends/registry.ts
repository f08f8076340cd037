import { KeychainError } from "../errors.ts";
import { type BuiltInBackend, type KeychainBackend, KeychainClient } from "./keychain-client.ts";
import type { Access, LoadBackend } from "./load.ts";

/** In the order in which they are chosen for a new session. */
export const BUILT_IN_BACKENDS: readonly BuiltInBackend[] = ["@napi-rs/keyring", "keytar"];

/** What the backends of one store go by. */
export interface BackendRegistryOptions {
  readonly service: string;
  readonly deadline: number;
  /** What the caller chose; `undefined`: what the session is in, else the first that is there. */
  readonly chosen: BuiltInBackend | KeychainBackend | undefined;
  readonly loadBackend: LoadBackend;
}

/** The backends of one store, loaded when they are needed. */
export class BackendRegistry {
  readonly #options: BackendRegistryOptions;
  readonly #clients = new Map<string, Promise<KeychainClient>>();

  constructor(options: BackendRegistryOptions) {
    this.#options = options;
  }

  /**
   * The one that reads and deletes what a backend of that name wrote.
   *
   * @throws KeychainError `no_backend`
   */
  forName(name: string): Promise<KeychainClient> {
    return this.#client(name, "read");
  }

  /**
   * Those that may hold an item which no chain tells of: the caller's own, or the built-in ones that can be read here,
   * the one that a new session goes to first.
   *
   * @throws KeychainError `no_backend` where no session could be written
   */
  async available(): Promise<readonly KeychainClient[]> {
    const first = await this.forWriting(undefined);
    if (typeof this.#options.chosen === "object") return [first];
    const others = BUILT_IN_BACKENDS.filter((name) => name !== first.name);
    const found = await Promise.all(others.map((name) => this.forName(name).catch(() => undefined)));
    return [first, ...found.filter((client) => client !== undefined)];
  }

  /**
   * The one to write to, where the session now is in `current`. It changes only where the caller says so.
   *
   * @throws KeychainError `no_backend`
   */
  async forWriting(current: string | undefined): Promise<KeychainClient> {
    const { chosen } = this.#options;
    const name = typeof chosen === "object" ? chosen.name : (chosen ?? current);
    return name === undefined ? this.#firstWritable() : this.#client(name, "write");
  }

  async #firstWritable(): Promise<KeychainClient> {
    const failures: unknown[] = [];
    for (const name of BUILT_IN_BACKENDS) {
      try {
        return await this.#client(name, "write");
      } catch (error) {
        failures.push(error);
      }
    }
    throw failures[0];
  }

  /** Made once, but where that failed. */
  #client(name: string, access: Access): Promise<KeychainClient> {
    const key = `${access} ${name}`;
    const client = this.#clients.get(key) ?? this.#createClient(name, access);
    this.#clients.set(key, client);
    client.catch(() => this.#clients.delete(key));
    return client;
  }

  async #createClient(name: string, access: Access): Promise<KeychainClient> {
    const { chosen, loadBackend, service, deadline } = this.#options;
    if (typeof chosen === "object" && chosen.name === name) return new KeychainClient(chosen, { service, deadline });
    const builtIn = BUILT_IN_BACKENDS.find((each) => each === name);
    if (!builtIn) throw missingBackend(name, { access });
    const backend = await loadBackend(builtIn, access).catch((error: unknown) => {
      throw missingBackend(name, { access, cause: error });
    });
    return new KeychainClient(backend, { service, deadline });
  }
}

function missingBackend(
  name: string,
  { access, cause }: { readonly access: Access; readonly cause?: unknown },
): KeychainError {
  const isBuiltIn = BUILT_IN_BACKENDS.some((each) => each === name);
  return new KeychainError("no_backend", {
    location: `The keychain backend "${name}"`,
    problem: isBuiltIn ? "cannot be loaded" : "is not the one that this store was given",
    hint: isBuiltIn ? HINTS[access](name) : "The session is in it: give it as backend.",
    cause,
  });
}

const HINTS: Record<Access, (name: string) => string> = {
  read: (name) => `Install it (npm install ${name}): without it what it keeps cannot be read here.`,
  write: (name) =>
    `Install it (npm install ${name}), or name another one as backend: a session that can be read without it moves there with the next save.`,
};
