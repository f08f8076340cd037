import { library } from "../../tsup.config.ts";

/** The CommonJS build of jsonc-parser, which `main` names, cannot be bundled: it calls a `require` of its own. */
const esbuildOptions = (options: { mainFields?: string[] }): void => {
  options.mainFields = ["module", "main"];
};

export default { ...library("src/index.ts", "src/chain.ts", "src/formats.ts"), esbuildOptions };
