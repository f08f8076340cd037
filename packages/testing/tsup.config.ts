import { library } from "../../tsup.config.ts";

/** The worker is no entry point: the kit starts it as a process. */
export default { ...library("src/index.ts", "src/worker.ts"), dts: { entry: "src/index.ts" } };
