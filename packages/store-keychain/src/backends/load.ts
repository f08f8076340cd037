import { SecretService } from "../secret-service/secret-service.ts";
import type { Conditions } from "./conditions.ts";
import type { BuiltInBackend, KeychainBackend } from "./keychain-client.ts";
import { loadKeytar } from "./keytar.ts";
import { loadNapiRs } from "./napi-rs.ts";
import { withoutPackage } from "./secret-service-backend.ts";

/** What a backend is to do: items can be read and deleted without their package, where there is a Secret Service. */
export type Use = "read" | "write";

/** Gives what talks to this system's keychain; rejects where it cannot be loaded. */
export type Load = (name: BuiltInBackend, use: Use) => Promise<KeychainBackend>;

/** How the built-in backends are used. */
export interface LoadOptions {
  readonly deadline: number;
  readonly platform?: NodeJS.Platform | undefined;
  /** Loads the packages. Default: as they are installed. */
  readonly packages?: Packages | undefined;
}

type Packages = Record<BuiltInBackend, (conditions: Conditions) => Promise<KeychainBackend>>;

const INSTALLED: Packages = { keytar: loadKeytar, "@napi-rs/keyring": loadNapiRs };

/** Loads the packages, each one once. */
export function load({ deadline, platform = process.platform, packages = INSTALLED }: LoadOptions): Load {
  const hasSecretService = platform !== "win32" && platform !== "darwin";
  const secrets = hasSecretService ? new SecretService({ deadline }) : undefined;
  const loaded = new Map<BuiltInBackend, Promise<KeychainBackend>>();
  const installed = (name: BuiltInBackend): Promise<KeychainBackend> => {
    const loading = loaded.get(name) ?? packages[name]({ platform, secrets });
    loaded.set(name, loading);
    loading.catch(() => loaded.delete(name));
    return loading;
  };
  return async (name, use) => {
    try {
      const backend = await installed(name);
      return secrets ? lookingTwice(backend, withoutPackage(name, secrets), secrets) : backend;
    } catch (error) {
      if (use === "write" || !secrets?.isReachable) throw error;
      return withoutPackage(name, secrets);
    }
  };
}

/** What the package does not find may be in a collection that is locked: that is an error, and not nothing. */
const lookingTwice = (backend: KeychainBackend, direct: KeychainBackend, secrets: SecretService): KeychainBackend => ({
  ...backend,
  get: async (service, account) => {
    const found = await backend.get(service, account);
    return typeof found === "string" || !secrets.isReachable ? found : direct.get(service, account);
  },
});
