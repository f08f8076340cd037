/** The packed packages, as npm installs them in a folder, with the types of the sources. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The modules that an installation provides. */
export interface Packed {
  readonly folder: string;
  readonly core: typeof import("@unexpired/core");
  readonly oauth2: typeof import("@unexpired/core/oauth2");
  readonly storeNode: typeof import("@unexpired/store-node");
  readonly storeKeychain: typeof import("@unexpired/store-keychain");
  readonly testing: typeof import("@unexpired/testing");
}

/** Imports the packages that are installed in `folder`. */
export async function loadPacked(folder: string): Promise<Packed> {
  const resolver = createRequire(join(folder, "program.js"));
  const load = (name: string) => import(pathToFileURL(resolver.resolve(name)).href);
  return {
    folder,
    core: await load("@unexpired/core"),
    oauth2: await load("@unexpired/core/oauth2"),
    storeNode: await load("@unexpired/store-node"),
    storeKeychain: await load("@unexpired/store-keychain"),
    testing: await load("@unexpired/testing"),
  };
}
