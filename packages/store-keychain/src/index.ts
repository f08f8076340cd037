export type { BuiltInBackend, KeychainBackend } from "./backend.ts";
export { KeychainError, type KeychainProblem } from "./errors.ts";
export { type KeychainOrFileOptions, keychainOrFile } from "./keychain-or-file.ts";
export { keychainStore } from "./keychain-store.ts";
export type { KeychainStoreOptions } from "./options.ts";
