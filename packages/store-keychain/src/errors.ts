import { StoreError, UnexpiredError } from "@unexpired/core";

/**
 * The reason why a keychain operation failed.
 *
 * - `no_backend`: no keychain package is installed, or the one that stored the session is missing.
 * - `no_service`: no keychain is running: no D-Bus, no Secret Service, or no default collection.
 * - `locked`: the keychain exists but is locked.
 * - `timeout`: the keychain did not respond in time (the option `timeout`).
 * - `refused`: the keychain returned an error.
 * - `damaged`: the stored items do not match what was saved.
 * - `too_long`: the item of another program would become longer than the keychain permits (`format`).
 */
export type KeychainErrorReason =
  | "no_backend"
  | "no_service"
  | "locked"
  | "timeout"
  | "refused"
  | "damaged"
  | "too_long";

const CODES = {
  no_backend: "STORE_UNAVAILABLE",
  no_service: "STORE_UNAVAILABLE",
  locked: "STORE_UNREADABLE",
  timeout: "STORE_UNAVAILABLE",
  refused: "STORE_UNAVAILABLE",
  damaged: "STORE_UNREADABLE",
  too_long: "STORE_UNAVAILABLE",
} as const;

/** A {@link StoreError} of the keychain, distinguished by `reason`. Contains no secret. */
export class KeychainError extends StoreError {
  /** The reason of the failure. */
  readonly reason: KeychainErrorReason;

  /** `problem` is a clause about `location`; `hint` consists of full sentences. */
  constructor(
    reason: KeychainErrorReason,
    details: {
      location: string;
      problem: string;
      hint: string;
      overwriteVersion?: string | undefined;
      cause?: unknown;
    },
  ) {
    super(CODES[reason], details);
    this.reason = reason;
  }
}

/** Returns the reason of a {@link KeychainError}, even of another copy of this package; `undefined` for other errors. */
export const keychainReasonOf = (error: unknown): KeychainErrorReason | undefined =>
  UnexpiredError.is(error) && "problem" in error ? (error as Partial<KeychainError>).reason : undefined;
