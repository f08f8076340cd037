/** The packed packages and the clients beside them, as npm installs them in a folder, with the types of the sources. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The packages to pack, and the clients to install beside them. */
export const PACKAGES = ["core", "store-node", "testing", "adapter-axios", "adapter-ofetch", "adapter-got"];
export const CLIENTS = ["axios@1.21.1", "axios-mock-adapter@2.1.0", "ofetch@1.5.1", "got@16.1.0"];

/** The modules that an installation provides. */
export interface Packed {
  readonly folder: string;
  readonly core: typeof import("@unexpired/core");
  readonly oauth2: typeof import("@unexpired/core/oauth2");
  readonly storeNode: typeof import("@unexpired/store-node");
  readonly testing: typeof import("@unexpired/testing");
  readonly forAxios: typeof import("@unexpired/adapter-axios");
  readonly forOfetch: typeof import("@unexpired/adapter-ofetch");
  readonly forGot: typeof import("@unexpired/adapter-got");
  readonly axios: typeof import("axios").default;
  readonly commonJsAxios: typeof import("axios").default;
  readonly MockAdapter: typeof import("axios-mock-adapter");
  readonly ofetch: typeof import("ofetch");
  readonly got: typeof import("got").default;
}

const PROGRAM = `
  import { createRequire } from "node:module";
  const require = createRequire(import.meta.url);
  export * as core from "@unexpired/core";
  export * as oauth2 from "@unexpired/core/oauth2";
  export * as storeNode from "@unexpired/store-node";
  export * as testing from "@unexpired/testing";
  export * as forAxios from "@unexpired/adapter-axios";
  export * as forOfetch from "@unexpired/adapter-ofetch";
  export * as forGot from "@unexpired/adapter-got";
  export { default as axios } from "axios";
  export const commonJsAxios = require("axios");
  export const MockAdapter = require("axios-mock-adapter");
  export * as ofetch from "ofetch";
  export { default as got } from "got";
`;

/** Imports what is installed in `folder`, as a program there does. */
export async function loadPacked(folder: string): Promise<Packed> {
  const program = join(folder, "program.mjs");
  writeFileSync(program, PROGRAM);
  return { folder, ...(await import(pathToFileURL(program).href)) };
}
