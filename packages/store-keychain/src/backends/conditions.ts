import type { SecretService } from "../secret-service/secret-service.ts";

/** What the built-in backends go by. */
export interface Conditions {
  readonly platform: NodeJS.Platform;
  /** What the keychain is where it is none of the system's own: asked before each call of a native library. */
  readonly secretService: SecretService | undefined;
}
