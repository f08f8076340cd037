import { describeContract } from "./support/contract.ts";

describeContract([
  { driver: "postgres", through: "PostgreSQL", notifies: false, processes: "none", wrapper: "plain" },
  { driver: "postgres", through: "PgBouncer", notifies: true, processes: "few", wrapper: "plain" },
]);
