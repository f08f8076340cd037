import { setTimeout } from "node:timers/promises";
import { inspect } from "node:util";
import type { TokenStore } from "@unexpired/core";
import { expectSuccess, expectThat } from "../../contract.ts";
import type { Remote } from "../fork.ts";
import type { StoreScene } from "../scene.ts";
import type { StoreCase } from "./case.ts";

const CHECKS = 20; // a signal is delivered asynchronously

type Holder = NonNullable<TokenStore["holder"]>;
type Status = Awaited<ReturnType<Holder["statusOf"]>>;

const STATUSES: readonly unknown[] = ["alive", "gone", "unknown"] satisfies readonly Status[];

/** Returns a function that asks the store for the status of a holder, and accepts the given ones. */
async function openHolder(scene: StoreScene) {
  const { holder } = await scene.open();
  const expectStatus = async (id: string, whose: string, accepted: readonly Status[]) => {
    const status = await expectSuccess(Promise.resolve(holder?.statusOf(id)), "holder", `statusOf() for ${whose}`);
    expectThat(STATUSES.includes(status), "holder", () => `statusOf() for ${whose} was ${inspect(status)}.`);
    expectThat(status !== undefined && accepted.includes(status), "holder", `statusOf() was "${status}" for ${whose}.`);
  };
  return { holder, expectStatus };
}

const gone: StoreCase = {
  name: "distinguishes a killed holder from a running or stopped one",
  needs: ["holders", "processes", "signals"],
  async run(scene) {
    const { holder, expectStatus } = await openHolder(scene);
    const other = scene.start({ do: "hold" });
    const id = await idOf(other);
    await expectStatus(id, "a running process", ["alive", "unknown"]);
    await expectStatus(holder?.id ?? "", "the calling process itself", ["alive", "unknown"]);
    expectThat(id !== holder?.id, "holder", `Two processes have the same holder id, ${inspect(id)}.`);
    other.kill("SIGSTOP");
    for (let look = 0; look < CHECKS; look++) {
      await expectStatus(id, "a stopped process (SIGSTOP)", ["alive", "unknown"]);
      await setTimeout(10);
    }
    if (holder?.describe) await expectDescription(holder.describe(id));
    other.kill("SIGKILL");
    await other.ended;
    await expectStatus(id, "a killed process", ["gone"]);
    for (const unknown of ["", "no id of this store"])
      await expectStatus(unknown, `an id that this store did not issue, ${inspect(unknown)}`, ["unknown"]);
  },
};

const thread: StoreCase = {
  name: "never reports a terminated worker thread as alive",
  needs: ["holders", "processes"],
  async run(scene) {
    const { expectStatus } = await openHolder(scene);
    const other = scene.start({ do: "hold-in-thread" });
    const id = await idOf(other);
    await expectStatus(id, "a running worker thread", ["alive", "unknown"]);
    other.send("terminate");
    await expectSuccess(other.next(), "holder", "Terminating a worker thread");
    await expectStatus(id, "a terminated worker thread of a running process", ["gone", "unknown"]);
  },
};

async function expectDescription(description: Promise<unknown>): Promise<void> {
  const text = await expectSuccess(description, "holder", "describe() for a stopped process");
  expectThat(typeof text === "string" && text !== "", "holder", `describe() was ${inspect(text)}.`);
}

async function idOf(other: Remote): Promise<string> {
  const id = await expectSuccess(other.next(), "holder", "Opening the store in another process");
  expectThat(typeof id === "string" && id !== "", "holder", `The holder id of another process is ${inspect(id)}.`);
  return id;
}

export const holderCases: readonly StoreCase[] = [gone, thread];
