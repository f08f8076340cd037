import type { BuiltInBackend, KeychainBackend } from "../backend.ts";
import { mustAnswer } from "../secret-service.ts";
import { loadKeytar } from "./keytar.ts";
import { loadNapiRs } from "./napi-rs.ts";
import { oneByOne } from "./one-by-one.ts";

/** Loads the packages that talk to this system's keychain. */
export type Load = (name: BuiltInBackend) => Promise<KeychainBackend>;

/** How the built-in backends are used. */
export interface LoadOptions {
  readonly deadline: number;
  /** Where the programs of one user meet. */
  readonly directory: string;
  readonly platform?: NodeJS.Platform | undefined;
}

/** Loads them as they are installed. */
export const load =
  ({ deadline, directory, platform = process.platform }: LoadOptions): Load =>
  async (name) => {
    // Only there the libraries can block, and take one thing for another.
    const hasSecretService = platform !== "win32" && platform !== "darwin";
    const ready = async () => (hasSecretService ? mustAnswer(deadline) : undefined);
    const backend = await (name === "keytar" ? loadKeytar({ platform, ready }) : loadNapiRs({ platform, ready }));
    // It makes a connection for each call, and many at once are what gnome-keyring does not bear.
    return hasSecretService && name === "@napi-rs/keyring" ? oneByOne(backend, directory) : backend;
  };
