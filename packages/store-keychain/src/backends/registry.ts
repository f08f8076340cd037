import { KeychainError } from "../errors.ts";
import { type BuiltInBackend, type KeychainBackend, Vault } from "./keychain-client.ts";
import type { Load, Use } from "./load.ts";

/** In the order in which they are chosen for a new session. */
export const BUILT_IN: readonly BuiltInBackend[] = ["@napi-rs/keyring", "keytar"];

/** What the backends of one store go by. */
export interface VaultsOptions {
  readonly service: string;
  readonly deadline: number;
  /** What the caller chose; `undefined`: what the session is in, else the first that is there. */
  readonly chosen: BuiltInBackend | KeychainBackend | undefined;
  readonly load: Load;
}

/** The backends of one store, loaded when they are needed. */
export class Vaults {
  readonly #options: VaultsOptions;
  readonly #vaults = new Map<string, Promise<Vault>>();

  constructor(options: VaultsOptions) {
    this.#options = options;
  }

  /**
   * The one that reads and deletes what a backend of that name wrote.
   *
   * @throws KeychainError `no_backend`
   */
  named(name: string): Promise<Vault> {
    return this.#vault(name, "read");
  }

  /**
   * Those that may hold an item which no chain tells of: the caller's own, or the built-in ones that can be read here,
   * the one that a new session goes to first.
   *
   * @throws KeychainError `no_backend` where no session could be written
   */
  async present(): Promise<readonly Vault[]> {
    const first = await this.writing(undefined);
    if (typeof this.#options.chosen === "object") return [first];
    const others = BUILT_IN.filter((name) => name !== first.name);
    const found = await Promise.all(others.map((name) => this.named(name).catch(() => undefined)));
    return [first, ...found.filter((vault) => vault !== undefined)];
  }

  /**
   * The one to write to, where the session now is in `current`. It changes only where the caller says so.
   *
   * @throws KeychainError `no_backend`
   */
  async writing(current: string | undefined): Promise<Vault> {
    const { chosen } = this.#options;
    const name = typeof chosen === "object" ? chosen.name : (chosen ?? current);
    return name === undefined ? this.#firstInstalled() : this.#vault(name, "write");
  }

  async #firstInstalled(): Promise<Vault> {
    const failures: unknown[] = [];
    for (const name of BUILT_IN) {
      try {
        return await this.#vault(name, "write");
      } catch (error) {
        failures.push(error);
      }
    }
    throw failures[0];
  }

  /** Made once, but where that failed. */
  #vault(name: string, use: Use): Promise<Vault> {
    const key = `${use} ${name}`;
    const vault = this.#vaults.get(key) ?? this.#make(name, use);
    this.#vaults.set(key, vault);
    vault.catch(() => this.#vaults.delete(key));
    return vault;
  }

  async #make(name: string, use: Use): Promise<Vault> {
    const { chosen, load, service, deadline } = this.#options;
    if (typeof chosen === "object" && chosen.name === name) return new Vault(chosen, { service, deadline });
    const builtIn = BUILT_IN.find((each) => each === name);
    if (!builtIn) throw missing(name, { use });
    const backend = await load(builtIn, use).catch((error: unknown) => {
      throw missing(name, { use, cause: error });
    });
    return new Vault(backend, { service, deadline });
  }
}

function missing(name: string, { use, cause }: { readonly use: Use; readonly cause?: unknown }): KeychainError {
  const isBuiltIn = BUILT_IN.some((each) => each === name);
  return new KeychainError("no_backend", {
    place: `The keychain backend "${name}"`,
    problem: isBuiltIn ? "cannot be loaded" : "is not the one that this store was given",
    advice: isBuiltIn ? ADVICE[use](name) : "The session is in it: give it as backend.",
    cause,
  });
}

const ADVICE: Record<Use, (name: string) => string> = {
  read: (name) => `Install it (npm install ${name}): without it what it keeps cannot be read here.`,
  write: (name) =>
    `Install it (npm install ${name}), or name another one as backend: a session that can be read without it moves there with the next save.`,
};
