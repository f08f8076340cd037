import { describeContract } from "./support/contract.ts";

describeContract([
  { driver: "pg", through: "PostgreSQL", notifies: true, processes: "all", wrapper: "plain" },
  { driver: "pg", through: "PgBouncer", notifies: false, processes: "none", wrapper: "plain" },
]);
