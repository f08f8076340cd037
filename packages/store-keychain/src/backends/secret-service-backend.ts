import type { Attributes, SecretService } from "../secret-service/secret-service.ts";
import type { BuiltInBackend, KeychainBackend } from "./keychain-client.ts";

/** The attributes by which each package identifies its items. */
const ATTRIBUTES: Record<BuiltInBackend, (service: string, account: string) => Attributes> = {
  keytar: (service, account) => ({ "xdg:schema": "org.freedesktop.Secret.Generic", service, account }),
  "@napi-rs/keyring": (service, account) => ({ service, username: account }),
};

/** Creates a backend that reads and deletes the items of a package that is not installed. It cannot write them. */
export function secretServiceBackend(name: BuiltInBackend, secretService: SecretService): KeychainBackend {
  const attributes = ATTRIBUTES[name];
  return {
    name,
    get: (service, account) => secretService.assertReady().then(() => secretService.get(attributes(service, account))),
    set: () => Promise.reject(new Error(`${name} is not installed`)),
    delete: (service, account) =>
      secretService.assertReady().then(() => secretService.delete(attributes(service, account))),
  };
}

/**
 * Creates a backend for items that other programs wrote with the attributes of a package, and perhaps with more. It
 * changes them in place, and creates none.
 */
export function foreignItemBackend(name: BuiltInBackend, secretService: SecretService): KeychainBackend {
  const attributes = (service: string, account: string): Attributes => {
    const { "xdg:schema": _, ...shared } = ATTRIBUTES[name](service, account);
    return shared;
  };
  return {
    name,
    get: (service, account) => secretService.assertReady().then(() => secretService.get(attributes(service, account))),
    async set(service, account, secret) {
      const isUpdated = await secretService.update(attributes(service, account), secret);
      if (!isUpdated) throw new Error("it no longer exists");
    },
    delete: (service, account) => secretService.delete(attributes(service, account), { limit: 1 }),
  };
}
