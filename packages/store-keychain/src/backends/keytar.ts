import type { Conditions } from "./conditions.ts";
import { importPackage } from "./import-package.ts";
import type { KeychainBackend } from "./keychain-client.ts";

const WINDOWS_LIMIT = 2_560; // bytes of UTF-8

/** Loads `keytar`. On Linux, its items have the attributes `service` and `account`. */
export async function loadKeytar({ platform, secretService }: Conditions): Promise<KeychainBackend> {
  const module = await importPackage<typeof import("keytar") & { default?: typeof import("keytar") }>("keytar");
  const keytar = module.default ?? module;
  const assertReady = async () => secretService?.assertReady();
  return {
    name: "keytar",
    limit: platform === "win32" ? WINDOWS_LIMIT : undefined,
    // keytar itself reports a locked keychain as empty.
    get: (service, account) => assertReady().then(() => keytar.getPassword(service, account)),
    set: (service, account, secret) => assertReady().then(() => keytar.setPassword(service, account, secret)),
    delete: (service, account) => assertReady().then(() => keytar.deletePassword(service, account)),
  };
}
