import { library } from "../../tsup.config.ts";

// Loaded where they are installed.
export default { ...library("src/index.ts"), external: ["keytar", "@napi-rs/keyring"] };
