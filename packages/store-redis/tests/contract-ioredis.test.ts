import { describeContract } from "./support/contract.ts";

describeContract([
  { client: "ioredis", notifies: true, processes: "all", wrapper: "plain" },
  { client: "ioredis", notifies: false, processes: "none", wrapper: "sealed" },
]);
