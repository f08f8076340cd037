import type { BuiltInBackend } from "./keychain-client.ts";

/**
 * Imports a native package as it is installed. Bundlers cannot bundle its binary, and fail if it is missing: they leave
 * an import alone whose specifier is a variable, or that they are told to ignore.
 */
export const importPackage = <Package>(name: BuiltInBackend): Promise<Package> =>
  import(/* webpackIgnore: true */ /* @vite-ignore */ name);
