import { describeContract } from "./support/contract.ts";

describeContract([
  { driver: "postgres", through: "PostgreSQL", notifies: false, processes: true, wrapper: "plain" },
  { driver: "postgres", through: "PgBouncer", notifies: true, processes: true, wrapper: "plain" },
]);
