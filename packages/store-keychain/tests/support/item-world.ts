/** The item of another program in a keychain in memory, and the stores and managers of simulated processes over it. */
import {
  createTokenManager,
  type RefreshFunction,
  type SessionFormat,
  type TokenManager,
  type TokenStore,
} from "@unexpired/core";
import { jsonFormat } from "@unexpired/store-node";
import type { FileSystem } from "@unexpired/store-node/chain";
import type { KeychainBackend } from "../../src/index.ts";
import { openKeychainStore } from "../../src/keychain-store.ts";
import { resolveSettings } from "../../src/options.ts";
import { memoryKeychain, newWorld, unsyncedFileSystem, type World } from "./memory-keychain.ts";

export const HOUR = 3_600_000;
export const fields = { accessToken: "accessToken", refreshToken: "refreshToken", expiresAt: "expiresAt" };
export const format = jsonFormat({ at: ["oauth"], fields });

/** An item such as other programs keep, with a comment and more than the session. */
export const itemWith = (number: number, left = HOUR): string => `{
  // kept by another program
  "theme": "dark",
  "oauth": { "accessToken": "canary-a${number}", "refreshToken": "canary-r${number}", "expiresAt": ${Date.now() + left}, "plan": "é漢🔑" }
}
`;

/** Removes the session from an item's text. */
export const restOf = (text = ""): string => text.replaceAll(/"canary-\w+"|"expiresAt": \d+/g, "…");

export const sessionIn = ({ items }: World): string | undefined => /canary-r\d+/.exec(items.get("ada") ?? "")?.[0];

/** Another program's own item is limited only if a test passes a limit, as on Windows. */
export const keychainOf = ({ items }: World, limit?: number): KeychainBackend => ({
  ...memoryKeychain(items),
  limit,
  get: async (service, account) => items.get(keyOf(service, account)),
  set: async (service, account, secret) => void items.set(keyOf(service, account), secret),
  delete: async (service, account) => items.delete(keyOf(service, account)),
});

/** The key of the other program's item is the account alone. */
const keyOf = (service: string, account: string): string => (service === "tests" ? account : `${service}/${account}`);

export interface Process {
  readonly store: TokenStore;
  pass(milliseconds: number): void;
}

interface Overrides {
  readonly backend?: KeychainBackend;
  readonly format?: SessionFormat;
  readonly calls?: Partial<FileSystem>;
}

/** Opens the store of one process. Its clock only advances when it waits, or through `pass`. */
export const open = (world: World, backend = keychainOf(world), sessionFormat = format): Process =>
  openWith(world, { backend, format: sessionFormat });

/** Opens a store as `open` does, with some calls of the file system replaced. */
export function openWith(
  world: World,
  { backend = keychainOf(world), format: used = format, calls }: Overrides,
): Process {
  let now = Date.now();
  const pass = (milliseconds: number): void => {
    now += milliseconds;
  };
  const { directory } = world;
  const settings = resolveSettings({ service: "tests", account: "ada", directory, backend, format: used });
  const store = openKeychainStore(settings, {
    fs: { ...unsyncedFileSystem, now: () => now, ...calls },
    lock: async () => async () => undefined,
    loadBackend: () => Promise.reject(new Error("No built-in backend is needed")),
    pause: async (milliseconds) => pass(milliseconds),
    monotonic: () => now,
    later: () => undefined,
  });
  return { store, pass };
}

/** Each exchange returns the next number. */
export const issuer = (): RefreshFunction & { presented: string[] } => {
  const presented: string[] = [];
  const refresh = async ({ refreshToken = "" }: { refreshToken?: string | undefined }) => {
    presented.push(refreshToken);
    const next = Number(refreshToken.replace("canary-r", "")) + 1;
    return {
      access_token: `canary-a${next}`,
      refresh_token: `canary-r${next}`,
      token_type: "Bearer",
      expires_in: 3600,
    };
  };
  return Object.assign(refresh, { presented });
};

export const managerOver = ({ store }: Process, refresh = issuer()): TokenManager =>
  createTokenManager({ store, refresh });

export const worldWith = (text?: string): World => {
  const world = newWorld();
  if (text !== undefined) world.items.set("ada", text);
  return world;
};
