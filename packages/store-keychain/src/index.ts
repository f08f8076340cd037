export type { BuiltInBackend, KeychainBackend } from "./backend.ts";
export { KeychainError, type KeychainProblem } from "./errors.ts";
export { keychainStore } from "./keychain-store.ts";
export type { KeychainStoreOptions } from "./options.ts";
