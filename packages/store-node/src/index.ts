export { fileStore } from "./file-store.ts";
export type { JsonField, JsonFields } from "./formats/json-fields.ts";
export { type JsonFormatOptions, jsonFormat } from "./formats/json-format.ts";
export type { JsonPath, JsonPathStep } from "./formats/json-path.ts";
export { migratingFormat } from "./formats/migrating-format.ts";
export { rawTokenFormat } from "./formats/raw-token-format.ts";
export type { FileStoreOptions } from "./paths.ts";
