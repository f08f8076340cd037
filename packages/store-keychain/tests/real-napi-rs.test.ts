import { describeBackend } from "./real.ts";

describeBackend("@napi-rs/keyring");
