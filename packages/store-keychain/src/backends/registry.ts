import { KeychainError } from "../errors.ts";
import { type BuiltInBackend, type KeychainBackend, KeychainClient } from "./keychain-client.ts";
import type { Access, LoadBackend } from "./load.ts";

/** The built-in backends, in order of preference for a new session. */
export const BUILT_IN_BACKENDS: readonly BuiltInBackend[] = ["@napi-rs/keyring", "keytar"];

/** The options of the backends of one store. */
export interface BackendRegistryOptions {
  readonly service: string;
  readonly timeout: number;
  /**
   * The `backend` option. If `undefined`, the backend that stores the session or, for a new one, the first that loads.
   */
  readonly chosen: BuiltInBackend | KeychainBackend | undefined;
  readonly loadBackend: LoadBackend;
}

/** The clients that may hold an item, and the error `no_backend` if none of them could write a new session. */
interface AvailableClients {
  readonly clients: readonly KeychainClient[];
  readonly missing?: unknown;
}

/** The backends of one store, loaded on demand. */
export class BackendRegistry {
  readonly #options: BackendRegistryOptions;
  readonly #clients = new Map<string, Promise<KeychainClient>>();

  constructor(options: BackendRegistryOptions) {
    this.#options = options;
  }

  /**
   * Returns the client that reads and deletes the items of the named backend.
   *
   * @throws KeychainError `no_backend`
   */
  forName(name: string): Promise<KeychainClient> {
    return this.#client(name, "read");
  }

  /**
   * Returns the clients that may hold an item which no chain records: the caller's own backend, or the built-in ones
   * that can be read on this system. The backend for new sessions comes first. On Linux, all built-in ones can be read
   * without their packages.
   *
   * @throws KeychainError `no_backend` if no new session could be written, and not all of them can be read
   */
  async available(): Promise<AvailableClients> {
    const [writing] = await Promise.allSettled([this.forWriting(undefined)]);
    const first = writing.status === "fulfilled" ? writing.value : undefined;
    const missing: unknown = writing.status === "rejected" ? writing.reason : undefined;
    const isBuiltIn = typeof this.#options.chosen !== "object";
    const others = isBuiltIn ? BUILT_IN_BACKENDS.filter((name) => name !== first?.name) : [];
    const found = await Promise.all(others.map((name) => this.forName(name).catch(() => undefined)));
    if (missing !== undefined && found.includes(undefined)) throw missing;
    return { clients: [first, ...found].filter((client) => client !== undefined), missing };
  }

  /**
   * Returns the clients that may find the item of another program, in whichever shape it was written: that of the
   * `backend` option comes first.
   *
   * @throws KeychainError `no_backend` if none can be loaded
   */
  async forItem(): Promise<readonly KeychainClient[]> {
    const { chosen } = this.#options;
    if (typeof chosen === "object") return [await this.#client(chosen.name, "item")];
    const names = new Set([...(chosen === undefined ? [] : [chosen]), ...BUILT_IN_BACKENDS]);
    const loaded = await Promise.allSettled([...names].map((name) => this.#client(name, "item")));
    const clients = loaded.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    if (clients.length === 0) await this.forWriting(undefined); // throws
    return clients;
  }

  /**
   * Returns the client to write a session to that `current` stores. It differs only if the `backend` option names
   * another.
   *
   * @throws KeychainError `no_backend`
   */
  async forWriting(current: string | undefined): Promise<KeychainClient> {
    const { chosen } = this.#options;
    const name = typeof chosen === "object" ? chosen.name : (chosen ?? current);
    return name === undefined ? this.#firstWritable() : this.#client(name, "write");
  }

  /**
   * Returns the client to create an item with that is like one of the named backend, or the one for new sessions if that
   * cannot create any.
   *
   * @throws KeychainError `no_backend`
   */
  forCopy(name: string | undefined): Promise<KeychainClient> {
    if (name === undefined) return this.forWriting(undefined);
    return this.#client(name, "write").catch(() => this.forWriting(undefined));
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

  /** Creates each client once; retries after a failure. */
  #client(name: string, access: Access): Promise<KeychainClient> {
    const key = `${access} ${name}`;
    const client = this.#clients.get(key) ?? this.#createClient(name, access);
    this.#clients.set(key, client);
    client.catch(() => this.#clients.delete(key));
    return client;
  }

  async #createClient(name: string, access: Access): Promise<KeychainClient> {
    const { chosen, loadBackend, service, timeout } = this.#options;
    if (typeof chosen === "object" && chosen.name === name) return new KeychainClient(chosen, { service, timeout });
    const builtIn = BUILT_IN_BACKENDS.find((each) => each === name);
    if (!builtIn) throw missingBackend(name, { access });
    const backend = await loadBackend(builtIn, access).catch((error: unknown) => {
      throw missingBackend(name, { access, cause: error });
    });
    return new KeychainClient(backend, { service, timeout, isBuiltIn: true });
  }
}

function missingBackend(
  name: string,
  { access, cause }: { readonly access: Access; readonly cause?: unknown },
): KeychainError {
  const isBuiltIn = BUILT_IN_BACKENDS.some((each) => each === name);
  return new KeychainError("no_backend", {
    location: `The keychain backend "${name}"`,
    problem: isBuiltIn ? "cannot be loaded" : "was not passed to this store",
    hint: isBuiltIn ? HINTS[access](name) : 'It stores the session: pass it as the "backend" option.',
    cause,
  });
}

const HINTS: Record<Access, (name: string) => string> = {
  read: (name) => `Run "npm install ${name}": the items that it wrote cannot be read here without it.`,
  item: (name) => `Run "npm install ${name}": the items that it wrote cannot be read here without it.`,
  write: (name) =>
    `Run "npm install ${name}", or set the "backend" option to another package: a session that can be read without ${name} moves there with the next save.`,
};
