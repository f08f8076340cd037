import { SecretService } from "../secret-service/secret-service.ts";
import type { Conditions } from "./conditions.ts";
import type { BuiltInBackend, KeychainBackend } from "./keychain-client.ts";
import { loadKeytar } from "./keytar.ts";
import { loadNapiRs } from "./napi-rs.ts";
import { foreignItemBackend, secretServiceBackend } from "./secret-service-backend.ts";

/**
 * The purpose of a backend. With a Secret Service, reading and deleting items does not need their package, nor does
 * updating the item of another program.
 */
export type Access = "read" | "write" | "item";

/** Loads the backend for this system's keychain. Rejects if its package cannot be loaded. */
export type LoadBackend = (name: BuiltInBackend, access: Access) => Promise<KeychainBackend>;

/** The timeout and platform of the built-in backends. */
export interface BackendLoaderOptions {
  readonly timeout: number;
  readonly platform?: NodeJS.Platform | undefined;
  /** The loaders of the packages. Default: the installed packages. */
  readonly packages?: BackendPackages | undefined;
}

type BackendPackages = Record<BuiltInBackend, (conditions: Conditions) => Promise<KeychainBackend>>;

const INSTALLED_PACKAGES: BackendPackages = { keytar: loadKeytar, "@napi-rs/keyring": loadNapiRs };

/** Creates a loader that loads each package once. */
export function createBackendLoader({
  timeout,
  platform = process.platform,
  packages = INSTALLED_PACKAGES,
}: BackendLoaderOptions): LoadBackend {
  const hasSecretService = platform !== "win32" && platform !== "darwin";
  const secretService = hasSecretService ? new SecretService({ timeout }) : undefined;
  const loaded = new Map<BuiltInBackend, Promise<KeychainBackend>>();
  const loadPackage = (name: BuiltInBackend): Promise<KeychainBackend> => {
    const loading = loaded.get(name) ?? packages[name]({ platform, secretService });
    loaded.set(name, loading);
    loading.catch(() => loaded.delete(name));
    return loading;
  };
  const loadAny: LoadBackend = async (name, access) => {
    try {
      const backend = await loadPackage(name);
      return secretService
        ? withLockedCheck(backend, secretServiceBackend(name, secretService), secretService)
        : backend;
    } catch (error) {
      if (access === "write" || !secretService?.isReachable) throw error;
      return secretServiceBackend(name, secretService);
    }
  };
  return async (name, access) =>
    access === "item" && secretService?.isReachable ? foreignItemBackend(name, secretService) : loadAny(name, access);
}

/** Reports an item in a locked collection as an error. The packages would report it as missing. */
const withLockedCheck = (
  backend: KeychainBackend,
  direct: KeychainBackend,
  secretService: SecretService,
): KeychainBackend => ({
  ...backend,
  get: async (service, account) => {
    const found = await backend.get(service, account);
    return typeof found === "string" || !secretService.isReachable ? found : direct.get(service, account);
  },
});
