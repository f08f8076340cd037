import { library } from "../../tsup.config.ts";

/** The worker is no entry point: the kit starts it as a process. */
export default {
  ...library(),
  entry: { index: "src/index.ts", worker: "src/stores/worker.ts" },
  dts: { entry: "src/index.ts" },
};
