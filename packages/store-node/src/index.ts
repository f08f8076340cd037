export { fileStore } from "./file-store.ts";
export type { FileStoreOptions } from "./paths.ts";
