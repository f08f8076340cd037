/**
 * The chain of write-once generations without a session file, and the entries of other programs' documents, for use by `@unexpired/store-keychain` only. It is not
 * part of the public API and does not follow semantic versioning. To write your own store, implement `TokenStore` from
 * `@unexpired/core`.
 *
 * @internal
 * @module
 */
export { DocumentEvents } from "./documents/document-events.ts";
export {
  assertHolds,
  chainNameOf,
  type EntryStatus,
  type Marks,
  NO_MARKS,
  needsWrite,
  printEntry,
  printOver,
  readEntry,
  reasonOf,
  writtenMarkOf,
} from "./documents/entry.ts";
export { EntrySettler, type EntrySnapshot, type EntryTimers, systemTimers } from "./documents/settle.ts";
export { ShownMark } from "./documents/shown-mark.ts";
export { type FileSystem, makeDurableDirectory, nodeFileSystem } from "./filesystem.ts";
export { assertFormat, formatOption } from "./formats/assert-format.ts";
export { codeOf, ignoreNotFound, withStoreErrors } from "./fs-errors.ts";
export {
  adoptedVersion,
  Chain,
  type Draft,
  digestOf,
  type Generation,
  isAncestor,
  versionOf,
} from "./generations.ts";
export { assertKnownOptions } from "./known-options.ts";
export { directoryLock, type Lock, withAdvisoryLock } from "./lock.ts";
export { machineName } from "./machine.ts";
export { FileNotes, readPrimary } from "./mirrors/file-notes.ts";
export {
  absolutePath,
  pathsOf,
  resolvePaths,
  type SessionPaths,
  sessionFilePath,
  stateDirectoryPath,
  stateFilePath,
} from "./paths.ts";
export { currentProcess, type ProcessIdentity } from "./process-identity.ts";
export { watchPath } from "./watch.ts";
