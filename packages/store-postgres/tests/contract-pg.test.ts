import { describeContract } from "./support/contract.ts";

describeContract([
  { driver: "pg", through: "PostgreSQL", notifies: true, processes: true, wrapper: "plain" },
  { driver: "pg", through: "PgBouncer", notifies: false, processes: true, wrapper: "plain" },
]);
