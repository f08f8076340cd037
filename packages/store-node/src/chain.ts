/**
 * What `@unexpired/store-keychain` builds on: the chain of write-once generations, without a session file. It follows
 * no semantic versioning; a store of your own is better off with the contract of `@unexpired/core`.
 */
export { type FileSystem, makeDurableDirectory, nodeFileSystem, type Stamp } from "./filesystem.ts";
export { Chain, type Draft, digestOf, type Generation, isPast, type Parent, versionOf } from "./generations.ts";
export { type Holder, thisHolder } from "./holder.ts";
export { directoryLock, type Lock } from "./lock.ts";
export { type Place, placeOf, sessionPath, statePath } from "./paths.ts";
export { codeOf, explaining, unlessAbsent } from "./problems.ts";
export { watchPath } from "./watch.ts";
