import { describeBackend } from "../support/real-keychain.ts";

describeBackend("@napi-rs/keyring");
