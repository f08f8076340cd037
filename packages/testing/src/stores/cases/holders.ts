import { setTimeout } from "node:timers/promises";
import { inspect } from "node:util";
import { hold, success } from "../../contract.ts";
import type { Remote } from "../fork.ts";
import type { StoreCase } from "./case.ts";

const LOOKS = 20; // a signal takes its time

const gone: StoreCase = {
  name: "knows a holder that was killed from one that lives or stands still",
  needs: ["holders", "processes", "signals"],
  async run(scene) {
    const { holder } = await scene.open();
    const isGone = async (id: string, whose: string) =>
      (await success(Promise.resolve(holder?.isGone(id)), "holder", `isGone() for ${whose}`)) === true;
    const mustNotBeGone = async (id: string, whose: string) =>
      hold(!(await isGone(id, whose)), "holder", `isGone() was true for ${whose}.`);
    const other = scene.start({ do: "hold" });
    const id = await idOf(other);
    await mustNotBeGone(id, "a process that lives");
    await mustNotBeGone(holder?.id ?? "", "the asking process itself");
    hold(id !== holder?.id, "holder", `Two processes have the same holder id, ${inspect(id)}.`);
    other.kill("SIGSTOP");
    for (let look = 0; look < LOOKS; look++) {
      await mustNotBeGone(id, "a process that stands still (SIGSTOP)");
      await setTimeout(10);
    }
    other.kill("SIGKILL");
    await other.ended;
    hold(await isGone(id, "a killed process"), "holder", "isGone() was false for a process that had been killed.");
    for (const unknown of ["", "no id of this store"])
      await mustNotBeGone(unknown, `an id that is none of this store's, ${inspect(unknown)}`);
  },
};

async function idOf(other: Remote): Promise<string> {
  const id = await success(other.next(), "holder", "To open the store in another process");
  hold(typeof id === "string" && id !== "", "holder", `The holder id of another process is ${inspect(id)}.`);
  return id;
}

export const holderCases: readonly StoreCase[] = [gone];
