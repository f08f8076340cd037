import { randomUUID } from "node:crypto";
import { migrate } from "@unexpired/store-postgres";
import { describeTokenStore, type Runner, type StoreFixture } from "@unexpired/testing";
import { missingPgBouncer, PgBouncer } from "@unexpired-internal/engines/pgbouncer";
import { missingPostgres, PostgresServer } from "@unexpired-internal/engines/postgres";
import { canary } from "@unexpired-internal/test-support/canary";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type Opening, openStore } from "../fixtures/open-store.ts";
import { drivers } from "./drivers.ts";

const PASSWORD = canary("secret", "postgres");

/** How one run of the store contract opens its stores. */
export interface ContractRun extends Pick<Opening, "driver" | "wrapper"> {
  /** The server that the statements reach: PostgreSQL itself, or PgBouncer in transaction mode. */
  readonly through: "PostgreSQL" | "PgBouncer";
  /** Whether saves are notified, through a direct connection. */
  readonly notifies: boolean;
  /** The cases with processes that run, too; they take most of the time. `"few"`: all but the one that kills fifty writers. */
  readonly processes: "all" | "few" | "none";
}

interface Engines {
  readonly PostgreSQL: PostgresServer;
  readonly PgBouncer: PgBouncer;
}

const module = new URL("../fixtures/open-store.ts", import.meta.url);

/** Runs the conformance kit on the store, on real servers that all runs share. */
export function describeContract(runs: readonly ContractRun[]): void {
  const missing = missingPostgres() ?? missingPgBouncer();
  if (missing !== undefined) return void it("keeps the store contract", (ctx) => ctx.skip(missing));
  let engines: Engines;
  beforeAll(async () => {
    engines = await startEngines();
  });
  afterAll(async () => {
    await engines.PgBouncer[Symbol.asyncDispose]();
    await engines.PostgreSQL[Symbol.asyncDispose]();
  });
  for (const run of runs) {
    const harness = { secrets: [PASSWORD], create: () => createFixture(engines, run) };
    const { driver, through, notifies, wrapper } = run;
    const name = `${driver} through ${through}, ${wrapper}, ${notifies ? "with" : "without"} notifications`;
    describe(name, () => describeTokenStore({ describe, it: run.processes === "few" ? withoutKills : it }, harness));
  }
}

const withoutKills: Runner["it"] = (name, ...rest) => /killed, \d+ times/.test(name) || it(name, ...rest);

async function startEngines(): Promise<Engines> {
  const server = await PostgresServer.start({ password: PASSWORD });
  await using admin = drivers.pg(server.connection);
  await migrate(admin);
  return { PostgreSQL: server, PgBouncer: await PgBouncer.start(server.connection) };
}

function createFixture(engines: Engines, { driver, through, notifies, processes, wrapper }: ContractRun): StoreFixture {
  const direct = engines.PostgreSQL.connection;
  const engine = engines[through];
  const opening = { key: randomUUID(), driver, connection: engine.connection, wrapper };
  const argument: Opening = notifies ? { ...opening, direct } : opening;
  return {
    open: () => openStore(argument),
    openNeighbor: () => openStore({ ...argument, key: `${argument.key}:2` }),
    ...(processes !== "none" && { childProcess: { module, argument } }),
    async interrupt() {
      await engine.stop();
      return () => engine.start();
    },
    async wipe() {
      await using admin = drivers.pg(direct);
      await admin.query("delete from unexpired_sessions where key = $1", [argument.key]);
    },
  };
}
