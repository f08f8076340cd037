import type { ProviderProfile } from "./types.ts";

/** A server of which nothing is known: rotation, no grace, as RFC 9700 §4.14.2 recommends. */
export const genericProvider: ProviderProfile = {
  rotation: true,
  graceSeconds: 0,
  afterLoss: "retry",
  terminalCodes: [],
};
