import { StoreError } from "@unexpired/core";

/**
 * What is wrong with a keychain.
 *
 * - `no_backend`: no package that talks to it is installed, or the one that the session is in is not.
 * - `no_service`: this system has none now: no D-Bus, no Secret Service, no collection.
 * - `locked`: it is there, and locked.
 * - `timeout`: it did not answer before the deadline.
 * - `refused`: it answered with an error.
 * - `damaged`: what it holds is not what was saved.
 */
export type KeychainErrorReason = "no_backend" | "no_service" | "locked" | "timeout" | "refused" | "damaged";

const CODES = {
  no_backend: "STORE_UNAVAILABLE",
  no_service: "STORE_UNAVAILABLE",
  locked: "STORE_UNREADABLE",
  timeout: "STORE_UNAVAILABLE",
  refused: "STORE_UNAVAILABLE",
  damaged: "STORE_UNREADABLE",
} as const;

/** A {@link StoreError} of the keychain; `reason` tells one from another. Holds no secret. */
export class KeychainError extends StoreError {
  /** What is wrong. */
  readonly reason: KeychainErrorReason;

  /** `problem` is a clause about the location, `hint` sentences. */
  constructor(
    reason: KeychainErrorReason,
    details: { location: string; problem: string; hint: string; cause?: unknown },
  ) {
    super(CODES[reason], details);
    this.reason = reason;
  }
}
