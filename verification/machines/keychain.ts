import type { KeychainBackend } from "@unexpired/store-keychain";

/** The keychain of one machine, in memory. */
export function memoryKeychain(): KeychainBackend {
  const items = new Map<string, string>();
  const key = (service: string, account: string) => JSON.stringify([service, account]);
  return {
    name: "memory",
    get: async (service, account) => items.get(key(service, account)),
    set: async (service, account, secret) => void items.set(key(service, account), secret),
    delete: async (service, account) => items.delete(key(service, account)),
  };
}
