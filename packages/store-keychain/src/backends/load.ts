import { SecretService } from "../secret-service/secret-service.ts";
import type { Conditions } from "./conditions.ts";
import type { BuiltInBackend, KeychainBackend } from "./keychain-client.ts";
import { loadKeytar } from "./keytar.ts";
import { loadNapiRs } from "./napi-rs.ts";
import { secretServiceBackend } from "./secret-service-backend.ts";

/** What a backend is to do: items can be read and deleted without their package, where there is a Secret Service. */
export type Access = "read" | "write";

/** Gives what talks to this system's keychain; rejects where it cannot be loaded. */
export type LoadBackend = (name: BuiltInBackend, access: Access) => Promise<KeychainBackend>;

/** How the built-in backends are used. */
export interface BackendLoaderOptions {
  readonly deadline: number;
  readonly platform?: NodeJS.Platform | undefined;
  /** Loads the packages. Default: as they are installed. */
  readonly packages?: BackendPackages | undefined;
}

type BackendPackages = Record<BuiltInBackend, (conditions: Conditions) => Promise<KeychainBackend>>;

const INSTALLED_PACKAGES: BackendPackages = { keytar: loadKeytar, "@napi-rs/keyring": loadNapiRs };

/** Loads the packages, each one once. */
export function createBackendLoader({
  deadline,
  platform = process.platform,
  packages = INSTALLED_PACKAGES,
}: BackendLoaderOptions): LoadBackend {
  const hasSecretService = platform !== "win32" && platform !== "darwin";
  const secretService = hasSecretService ? new SecretService({ deadline }) : undefined;
  const loaded = new Map<BuiltInBackend, Promise<KeychainBackend>>();
  const loadPackage = (name: BuiltInBackend): Promise<KeychainBackend> => {
    const loading = loaded.get(name) ?? packages[name]({ platform, secretService });
    loaded.set(name, loading);
    loading.catch(() => loaded.delete(name));
    return loading;
  };
  return async (name, access) => {
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
}

/** What the package does not find may be in a collection that is locked: that is an error, and not nothing. */
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
