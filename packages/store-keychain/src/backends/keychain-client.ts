import { UnexpiredError } from "@unexpired/core";
import { KeychainError, type KeychainErrorReason } from "../errors.ts";
import { withTimeout } from "../timeout.ts";

/**
 * Access to a keychain that stores one secret for each service and account. Implement it for a keychain that the
 * built-in backends do not support. A method may throw any value; a `KeychainError` is rethrown unchanged. The message
 * of another error is not passed on, because it may quote the secret; its `code` is.
 */
export interface KeychainBackend {
  /** The name of the backend. It is recorded with each session; only a backend of the same name reads its items. */
  readonly name: string;
  /** The maximum length of a secret in ASCII characters; longer sessions are split. Default: unlimited. */
  readonly limit?: number | undefined;
  /** Returns the secret, or `undefined` or `null` if it does not exist. Rejects if it cannot be read. */
  get(service: string, account: string): Promise<string | null | undefined>;
  /** Stores a secret, replacing an existing one. */
  set(service: string, account: string, secret: string): Promise<void>;
  /** Deletes a secret. Does nothing if it does not exist. */
  delete(service: string, account: string): Promise<unknown>;
}

/** The names of the backends that come with this package. */
export type BuiltInBackend = "keytar" | "@napi-rs/keyring";

/** The options of a client. */
export interface KeychainClientOptions {
  readonly service: string;
  readonly timeout: number;
  /** Whether the messages of the backend's errors contain no secret but the one that was passed. */
  readonly isBuiltIn?: boolean;
}

/** Calls a backend for one service: enforces the timeout, and converts errors to {@link KeychainError}. */
export class KeychainClient {
  readonly name: string;
  readonly limit: number | undefined;
  readonly #backend: KeychainBackend;
  readonly #service: string;
  readonly #timeout: number;
  readonly #isBuiltIn: boolean;

  constructor(backend: KeychainBackend, { service, timeout, isBuiltIn = false }: KeychainClientOptions) {
    this.name = backend.name;
    this.limit = backend.limit;
    this.#backend = backend;
    this.#service = service;
    this.#timeout = timeout;
    this.#isBuiltIn = isBuiltIn;
  }

  async get(account: string): Promise<string | undefined> {
    const found = await this.#call(account, "", () => this.#backend.get(this.#service, account));
    return found ?? undefined;
  }

  set(account: string, secret: string): Promise<void> {
    return this.#call(account, secret, () => this.#backend.set(this.#service, account, secret));
  }

  async delete(account: string): Promise<void> {
    await this.#call(account, "", () => this.#backend.delete(this.#service, account));
  }

  async #call<T>(account: string, secret: string, call: () => Promise<T>): Promise<T> {
    const item = `The keychain item "${this.#service}" for account "${account}" (${this.name})`;
    const timeoutError = () =>
      new KeychainError("timeout", {
        location: item,
        problem: `did not respond within ${this.#timeout} ms`,
        hint: "Unlock the keychain or restart its service, and try again. No saved data is lost.",
      });
    try {
      return await withTimeout(this.#timeout, async () => call(), timeoutError);
    } catch (error) {
      if (UnexpiredError.is(error)) throw error;
      throw toKeychainError(item, error, this.#isBuiltIn ? (text) => maskSecret(text, secret) : undefined);
    }
  }
}

interface KnownError {
  readonly pattern: RegExp;
  readonly reason: KeychainErrorReason;
  readonly problem: string;
  readonly hint: string;
}

const KNOWN_ERRORS: readonly KnownError[] = [
  {
    // macOS reports the last one if it cannot prompt to unlock the keychain, as over SSH.
    pattern: /\blocked|dismissed|interaction is not allowed|-25308|passphrase you entered is not correct|-25293/i,
    reason: "locked",
    problem: "is in a locked keychain",
    hint: "Unlock the keychain (over SSH: from a session that can prompt for its password), and try again.",
  },
  {
    // keytar stays bound to the first process of the service. The service is running, so this is not "no_service".
    pattern: /the name :\S+ was not provided|session wrapping the secret does not exist/i,
    reason: "refused",
    problem: "cannot be accessed: the Secret Service was restarted after this program connected to it",
    hint: "Restart this program. No saved data is lost.",
  },
  {
    // D-Bus, the Secret Service, macOS, and Windows without a logged-on user, as over SSH.
    pattern:
      /autolaunch|connect to socket|ServiceUnknown|not provided by any|no result found|no keychain is available|-25291|keychain could not be found|-25307|logon session does not exist/i,
    reason: "no_service",
    problem: "cannot be accessed: this session has no keychain",
    hint: "Log in to the desktop or, on Linux, start a Secret Service such as gnome-keyring in this session. Otherwise use another store.",
  },
];

const maskSecret = (text: string, secret: string): string =>
  secret === "" ? text : text.replaceAll(secret, "[secret]");

/**
 * Converts an exception of a backend. Keeps its message if `mask` removes the secrets from it, otherwise only its code:
 * the message may quote what is stored.
 */
function toKeychainError(item: string, error: unknown, mask: ((text: string) => string) | undefined): KeychainError {
  const { message, code } = Object(error) as { message?: unknown; code?: unknown };
  const problemText = typeof message === "string" ? message : "it threw a value that is not an Error";
  const errorCode = typeof code === "number" || /^[A-Z][A-Z_]{1,30}$/.test(String(code)) ? `: ${code}` : "";
  const text = mask ? mask(problemText) : `its backend threw an error${errorCode}`;
  const { reason, problem, hint } = KNOWN_ERRORS.find(({ pattern }) => pattern.test(mask ? text : problemText)) ?? {
    reason: "refused",
    problem: `cannot be accessed (${text})`,
    hint: "Resolve the reported problem, and try again. No saved data is lost.",
  };
  return new KeychainError(reason, { location: item, problem, hint, cause: new Error(text) });
}
