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
} from "./formats.ts";
export type { FileStoreOptions } from "./paths.ts";
