import { describeRealBackend } from "../support/real-keychain.ts";

describeRealBackend("keytar");
