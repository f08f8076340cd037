/** What the built-in backends go by. */
export interface Conditions {
  readonly platform: NodeJS.Platform;
  /** Rejects where there is no keychain to talk to. */
  ready(): Promise<void>;
}
