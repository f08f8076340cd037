/**
 * The chain of write-once generations without a session file, for `@unexpired/store-keychain` alone. Not part of the
 * public API: it follows no semantic versioning. To write a store of your own, implement `TokenStore` of
 * `@unexpired/core`.
 *
 * @internal
 * @module
 */
export { type FileSystem, makeDurableDirectory, nodeFileSystem, type Stamp } from "./filesystem.ts";
export {
  adoptedVersion,
  Chain,
  type Draft,
  digestOf,
  type Generation,
  isPast,
  type Parent,
  versionOf,
} from "./generations.ts";
export { type Holder, thisHolder } from "./holder.ts";
export { directoryLock, type Lock } from "./lock.ts";
export { type Place, placeOf, sessionPath, statePath } from "./paths.ts";
export { codeOf, explaining, unlessAbsent } from "./problems.ts";
export { watchPath } from "./watch.ts";
