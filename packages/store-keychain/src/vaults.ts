import { type BuiltInBackend, type KeychainBackend, Vault } from "./backend.ts";
import type { Load } from "./backends/load.ts";
import { KeychainError } from "./errors.ts";

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
  readonly #loaded = new Map<string, Promise<Vault>>();

  constructor(options: VaultsOptions) {
    this.#options = options;
  }

  /**
   * The one of that name.
   *
   * @throws KeychainError `no_backend`
   */
  named(name: string): Promise<Vault> {
    const known = this.#loaded.get(name);
    if (known !== undefined) return known;
    const loading = this.#load(name);
    this.#loaded.set(name, loading);
    loading.catch(() => this.#loaded.delete(name));
    return loading;
  }

  /** Those that may hold an item which no chain tells of: the caller's own, or the built-in ones that can be loaded. */
  async present(): Promise<readonly Vault[]> {
    const { chosen } = this.#options;
    if (typeof chosen === "object") return [await this.named(chosen.name)];
    const first = chosen ?? (await this.#firstPresent());
    const others = BUILT_IN.filter((name) => name !== first).map((name) => this.named(name).catch(() => undefined));
    const found = [await this.named(first), ...(await Promise.all(others))];
    return found.filter((vault) => vault !== undefined);
  }

  /** The one to write to, where the session now is in `current`. It changes only where the caller says so. */
  async writing(current: string | undefined): Promise<Vault> {
    const { chosen } = this.#options;
    if (chosen !== undefined) return this.named(typeof chosen === "object" ? chosen.name : chosen);
    return this.named(current ?? (await this.#firstPresent()));
  }

  async #firstPresent(): Promise<BuiltInBackend> {
    const failures: unknown[] = [];
    for (const name of BUILT_IN) {
      try {
        await this.named(name);
        return name;
      } catch (error) {
        failures.push(error);
      }
    }
    throw missing("@napi-rs/keyring", failures[0]);
  }

  async #load(name: string): Promise<Vault> {
    const { chosen, load, service, deadline } = this.#options;
    if (typeof chosen === "object" && chosen.name === name) return new Vault(chosen, { service, deadline });
    const builtIn = BUILT_IN.find((each) => each === name);
    if (!builtIn) throw missing(name);
    const backend = await load(builtIn).catch((error: unknown) => {
      throw missing(name, error);
    });
    return new Vault(backend, { service, deadline });
  }
}

function missing(name: string, cause?: unknown): KeychainError {
  const isBuiltIn = BUILT_IN.some((each) => each === name);
  return new KeychainError("no_backend", {
    place: `The keychain backend "${name}"`,
    problem: isBuiltIn ? "cannot be loaded" : "is not the one that this store was given",
    advice: isBuiltIn
      ? `Install it (npm install ${name}), or name another one (backend).`
      : "The session is in it: give it as backend, or call remove() and sign in again.",
    cause,
  });
}
