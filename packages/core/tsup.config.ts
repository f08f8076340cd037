import { library } from "../../tsup.config.ts";

export default library("src/index.ts", "src/flows.ts", "src/oauth2.ts", "src/adapter.ts", "src/session-record.ts");
