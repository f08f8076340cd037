export { fileStore } from "./file-store.ts";
export { firstExisting } from "./first-existing.ts";
export {
  type JsonField,
  type JsonFields,
  type JsonFormatOptions,
  type JsonPath,
  type JsonPathStep,
  jsonFormat,
  migratingFormat,
  rawTokenFormat,
  type Scalar,
  type TimeUnit,
} from "./formats.ts";
export { type FileDocumentOptions, fileDocument } from "./mirrors/file-document.ts";
export type { DocumentNotes, DocumentText, MirroredDocument } from "./mirrors/mirrored-document.ts";
export { mirroredStore } from "./mirrors/mirrored-store.ts";
export type { FileStoreOptions } from "./paths.ts";
