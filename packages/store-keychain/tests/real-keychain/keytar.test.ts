import { describeBackend } from "../support/real-keychain.ts";

describeBackend("keytar");
