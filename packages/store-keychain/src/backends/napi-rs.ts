import type { KeychainBackend } from "../backend.ts";
import type { Conditions } from "./conditions.ts";

const WINDOWS_LIMIT = 1_280; // UTF-16 units: 2,560 bytes
/** Otherwise it falls back to the kernel's keyring, which a reboot empties. */
const OPTIONS = { linux: { store: "secret-service" } } as const;

/** @napi-rs/keyring: on Linux its items have the attributes `service` and `username`. */
export async function loadNapiRs({ platform, ready }: Conditions): Promise<KeychainBackend> {
  const { AsyncEntry } = await import("@napi-rs/keyring");
  // To make an entry connects, and holds up the whole program meanwhile: only where somebody answers.
  const entry = (service: string, account: string) => ready().then(() => new AsyncEntry(service, account, OPTIONS));
  return {
    name: "@napi-rs/keyring",
    limit: platform === "win32" ? WINDOWS_LIMIT : undefined,
    get: async (service, account) => (await entry(service, account)).getPassword(),
    set: async (service, account, secret) => (await entry(service, account)).setPassword(secret),
    delete: async (service, account) => (await entry(service, account)).deletePassword(),
  };
}
