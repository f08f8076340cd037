import { describeBackend } from "./real.ts";

describeBackend("keytar");
