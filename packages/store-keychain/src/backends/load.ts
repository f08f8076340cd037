import type { BuiltInBackend, KeychainBackend } from "../backend.ts";
import { mustAnswer } from "../secret-service.ts";
import { loadKeytar } from "./keytar.ts";
import { loadNapiRs } from "./napi-rs.ts";

/** Loads the packages that talk to this system's keychain. */
export type Load = (name: BuiltInBackend) => Promise<KeychainBackend>;

/** Loads them as they are installed. */
export const load =
  (deadline: number, platform = process.platform): Load =>
  (name) => {
    // Only there the libraries can block, and take one thing for another.
    const hasSecretService = platform !== "win32" && platform !== "darwin";
    const ready = async () => (hasSecretService ? mustAnswer(deadline) : undefined);
    return name === "keytar" ? loadKeytar({ platform, ready }) : loadNapiRs({ platform, ready });
  };
