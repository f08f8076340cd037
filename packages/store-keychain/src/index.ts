export type { BuiltInBackend, KeychainBackend } from "./backends/keychain-client.ts";
export { KeychainError, type KeychainErrorReason } from "./errors.ts";
export { type KeychainOrFileOptions, keychainOrFile } from "./file-fallback/keychain-or-file.ts";
export { type KeychainItemOptions, keychainItem } from "./keychain-item.ts";
export { keychainStore } from "./keychain-store.ts";
export type { KeychainStoreOptions } from "./options.ts";
