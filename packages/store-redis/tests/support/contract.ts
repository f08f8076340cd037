import { randomUUID } from "node:crypto";
import { describeTokenStore, type Runner, type StoreFixture } from "@unexpired/testing";
import { missingRedis, RedisServer } from "@unexpired-internal/engines/redis";
import { canary } from "@unexpired-internal/test-support/canary";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type Opening, openStore } from "../fixtures/open-store.ts";

const PASSWORD = canary("secret", "redis");

/** How one run of the store contract opens its stores. */
export interface ContractRun extends Pick<Opening, "client" | "notifies" | "wrapper"> {
  /** The cases with processes that run, too; they take most of the time. `"few"`: all but the two slowest. */
  readonly processes: "all" | "few" | "none";
}

const module = new URL("../fixtures/open-store.ts", import.meta.url);

/** Runs the conformance kit on the store, on a real server that all runs share. */
export function describeContract(runs: readonly ContractRun[]): void {
  const missing = missingRedis();
  if (missing !== undefined) return void it("keeps the store contract", (ctx) => ctx.skip(missing));
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start({ password: PASSWORD });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  for (const run of runs) {
    const harness = { secrets: [PASSWORD], create: () => createFixture(server, run) };
    const name = `${run.client}, ${run.wrapper}, ${run.notifies ? "with" : "without"} notifications`;
    describe(name, () => describeTokenStore({ describe, it: run.processes === "few" ? withoutSlowest : it }, harness));
  }
}

const withoutSlowest: Runner["it"] = (name, ...rest) =>
  /killed, \d+ times|loses no update/.test(name) || it(name, ...rest);

function createFixture(server: RedisServer, { processes, ...run }: ContractRun): StoreFixture {
  const argument: Opening = { ...run, key: `user:${randomUUID()}`, url: server.url };
  const name = `unexpired:${argument.key}`;
  return {
    open: () => openStore(argument),
    openNeighbor: () => openStore({ ...argument, key: `${argument.key}:2` }),
    ...(processes !== "none" && { childProcess: { module, argument } }),
    async damage() {
      await server.command("del", name);
      await server.command("set", name, "?");
    },
    async interrupt() {
      await server.crash();
      return () => server.start();
    },
    async wipe() {
      await server.command("del", name);
    },
  };
}
