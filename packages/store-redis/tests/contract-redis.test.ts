import { describeContract } from "./support/contract.ts";

describeContract([
  { client: "redis", notifies: false, processes: "none", wrapper: "plain" },
  { client: "redis", notifies: true, processes: "few", wrapper: "sealed" },
]);
