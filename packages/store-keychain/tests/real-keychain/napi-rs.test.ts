import { describeRealBackend } from "../support/real-keychain.ts";

describeRealBackend("@napi-rs/keyring");
