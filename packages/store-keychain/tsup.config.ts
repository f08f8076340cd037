import { library } from "../../tsup.config.ts";

// Not bundled: loaded from the packages that are installed.
export default { ...library("src/index.ts"), external: ["keytar", "@napi-rs/keyring"] };
