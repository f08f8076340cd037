/**
 * The chain of write-once generations without a session file, for `@unexpired/store-keychain` alone. Not part of the
 * public API: it follows no semantic versioning. To write a store of your own, implement `TokenStore` of
 * `@unexpired/core`.
 *
 * @internal
 * @module
 */
export { type FileSystem, makeDurableDirectory, nodeFileSystem, type Stamp } from "./filesystem.ts";
export { codeOf, ignoreNotFound, withStoreErrors } from "./fs-errors.ts";
export {
  adoptedVersion,
  Chain,
  type Draft,
  digestOf,
  type Generation,
  isAncestor,
  type ParentRef,
  versionOf,
} from "./generations.ts";
export { directoryLock, type Lock } from "./lock.ts";
export {
  pathsOf,
  type SessionPaths,
  sessionFilePath,
  stateFilePath,
} from "./paths.ts";
export { currentProcess, type ProcessIdentity } from "./process-identity.ts";
export { watchPath } from "./watch.ts";
