import { setTimeout } from "node:timers/promises";
import { inspect } from "node:util";
import { expectSuccess, expectThat } from "../../contract.ts";
import type { Remote } from "../fork.ts";
import type { StoreCase } from "./case.ts";

const CHECKS = 20; // a signal is delivered asynchronously

const gone: StoreCase = {
  name: "distinguishes a killed holder from a running or stopped one",
  needs: ["holders", "processes", "signals"],
  async run(scene) {
    const { holder } = await scene.open();
    const isGone = async (id: string, whose: string) =>
      (await expectSuccess(Promise.resolve(holder?.isGone(id)), "holder", `isGone() for ${whose}`)) === true;
    const expectNotGone = async (id: string, whose: string) =>
      expectThat(!(await isGone(id, whose)), "holder", `isGone() was true for ${whose}.`);
    const other = scene.start({ do: "hold" });
    const id = await idOf(other);
    await expectNotGone(id, "a running process");
    await expectNotGone(holder?.id ?? "", "the calling process itself");
    expectThat(id !== holder?.id, "holder", `Two processes have the same holder id, ${inspect(id)}.`);
    other.kill("SIGSTOP");
    for (let look = 0; look < CHECKS; look++) {
      await expectNotGone(id, "a stopped process (SIGSTOP)");
      await setTimeout(10);
    }
    other.kill("SIGKILL");
    await other.ended;
    expectThat(await isGone(id, "a killed process"), "holder", "isGone() was false for a killed process.");
    for (const unknown of ["", "no id of this store"])
      await expectNotGone(unknown, `an id that this store did not issue, ${inspect(unknown)}`);
  },
};

async function idOf(other: Remote): Promise<string> {
  const id = await expectSuccess(other.next(), "holder", "Opening the store in another process");
  expectThat(typeof id === "string" && id !== "", "holder", `The holder id of another process is ${inspect(id)}.`);
  return id;
}

export const holderCases: readonly StoreCase[] = [gone];
