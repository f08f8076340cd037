/** Formats of sessions in other programs' documents, without the file store: they need neither Node nor a file system. */
export type { JsonField, JsonFields } from "./formats/json-fields.ts";
export { type JsonFormatOptions, jsonFormat } from "./formats/json-format.ts";
export type { JsonPath, JsonPathStep, Scalar } from "./formats/json-path.ts";
export { migratingFormat } from "./formats/migrating-format.ts";
export { rawTokenFormat } from "./formats/raw-token-format.ts";
export type { TimeUnit } from "./formats/values.ts";
