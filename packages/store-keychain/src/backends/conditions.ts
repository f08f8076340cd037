import type { SecretService } from "../secret-service/secret-service.ts";

/** The platform properties that the built-in backends depend on. */
export interface Conditions {
  readonly platform: NodeJS.Platform;
  /** The Secret Service, if it is the platform's keychain. Checked before each call of a native library. */
  readonly secretService: SecretService | undefined;
}
