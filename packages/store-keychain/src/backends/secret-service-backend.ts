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
