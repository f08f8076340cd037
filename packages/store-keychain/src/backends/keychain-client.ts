import { UnexpiredError } from "@unexpired/core";
import { KeychainError, type KeychainErrorReason } from "../errors.ts";
import { withTimeout } from "../timeout.ts";

/**
 * What talks to a keychain: one secret for each service and account. Implement it for a keychain that the built-in ones
 * do not reach. Every call may throw anything; a `KeychainError` is passed on as it is.
 */
export interface KeychainBackend {
  /** Its name. It is written beside the session, whose items only a backend of the same name reads again. */
  readonly name: string;
  /** How many ASCII characters one secret may have; nothing else is stored in it. Absent: as many as a session has. */
  readonly limit?: number | undefined;
  /** The secret; `undefined` or `null` where there is none. What cannot be read is an error. */
  get(service: string, account: string): Promise<string | null | undefined>;
  /** Stores a secret, in place of another one. */
  set(service: string, account: string, secret: string): Promise<void>;
  /** Deletes a secret; nothing happens where there is none. */
  delete(service: string, account: string): Promise<unknown>;
}

/** The names of the backends that come with this package. */
export type BuiltInBackend = "keytar" | "@napi-rs/keyring";

/** One service of a keychain: every call ends by the deadline, with an error that says what to do. */
export class KeychainClient {
  readonly name: string;
  readonly limit: number | undefined;
  readonly #backend: KeychainBackend;
  readonly #service: string;
  readonly #deadline: number;

  constructor(
    backend: KeychainBackend,
    { service, deadline }: { readonly service: string; readonly deadline: number },
  ) {
    this.name = backend.name;
    this.limit = backend.limit;
    this.#backend = backend;
    this.#service = service;
    this.#deadline = deadline;
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
    const item = `The keychain item "${this.#service}" of "${account}" (${this.name})`;
    const timeoutError = () =>
      new KeychainError("timeout", {
        location: item,
        problem: `gave no answer within ${this.#deadline} ms`,
        hint: "Unlock the keychain or restart its service, and try again. Nothing that was saved is lost.",
      });
    try {
      return await withTimeout(this.#deadline, async () => call(), timeoutError);
    } catch (error) {
      throw UnexpiredError.is(error) ? error : toKeychainError(item, error, secret);
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
    // macOS says the last one of a keychain that it may not ask to unlock, as over SSH.
    pattern: /\blocked|dismissed|interaction is not allowed|-25308|passphrase you entered is not correct|-25293/i,
    reason: "locked",
    problem: "is in a keychain that is locked",
    hint: "Unlock it (over SSH: from a session that may ask for its password), and try again.",
  },
  {
    // keytar keeps to the process that answered first. The service is there: it is no "no_service".
    pattern: /the name :\S+ was not provided|session wrapping the secret does not exist/i,
    reason: "refused",
    problem: "cannot be used: the Secret Service was restarted after this program had connected to it",
    hint: "Restart this program. Nothing that was saved is lost.",
  },
  {
    // D-Bus, the Secret Service, macOS, and Windows where nobody has logged on, as over SSH.
    pattern:
      /autolaunch|connect to socket|ServiceUnknown|not provided by any|no result found|no keychain is available|-25291|keychain could not be found|-25307|logon session does not exist/i,
    reason: "no_service",
    problem: "cannot be reached: there is no keychain here",
    hint: "Log in to the desktop, or on Linux start a Secret Service such as gnome-keyring in this session; or use another store.",
  },
];

/** What a backend threw, in our own terms. Its message is kept, without the secret that it was given. */
function toKeychainError(item: string, error: unknown, secret: string): KeychainError {
  const message = error instanceof Error ? error.message : "it threw what is no Error";
  const text = secret === "" ? message : message.replaceAll(secret, "[secret]");
  const { reason, problem, hint } = KNOWN_ERRORS.find(({ pattern }) => pattern.test(text)) ?? {
    reason: "refused",
    problem: `cannot be used (${text})`,
    hint: "See what it says, and try again. Nothing that was saved is lost.",
  };
  return new KeychainError(reason, { location: item, problem, hint, cause: new Error(text) });
}
