import { inspect } from "node:util";
import { ConformanceError, hold } from "../contract.ts";
import type { Remote } from "../fork.ts";
import type { Scene } from "../scene.ts";
import { numberOf } from "../tasks.ts";
import { within } from "../within.ts";
import type { StoreCase } from "./case.ts";

const PROCESSES = 8;
const INCREMENTS = 100;
const KILLS = 50;
const READS = 40;
const END = 5_000;

const increments: StoreCase = {
  name: `loses none of ${PROCESSES} processes × ${INCREMENTS} increments`,
  needs: ["sharing", "processes"],
  async run(scene) {
    const start = () => scene.start({ do: "increment", times: INCREMENTS });
    const processes = Array.from({ length: PROCESSES }, start);
    for (const process of processes) await process.next();
    const found = await (await scene.open()).load();
    const sum = PROCESSES * INCREMENTS;
    hold(
      found?.value === `${sum}`,
      "save",
      () => `After ${sum} increments the number is ${found?.value}: some were lost.`,
    );
  },
};

const whole: StoreCase = {
  name: "shows the old or the new to who reads during a save, whole",
  needs: ["sharing", "processes"],
  async run(scene) {
    const writer = scene.start({ do: "save for ever" });
    await writer.next();
    const store = await scene.open();
    let last = 0;
    for (let distinct = 0; distinct < READS; ) {
      const found = await store.load();
      const number = numberOf(found?.value ?? "");
      hold(
        number !== undefined,
        "whole",
        () => `During a save load() gave ${inspect(found?.value.slice(0, 60))}…, which is no value that was saved.`,
      );
      hold(number >= last, "load", `After value ${last} load() gave value ${number}, which is older.`);
      if (number > last) distinct++;
      last = number;
    }
  },
};

const killed: StoreCase = {
  name: `keeps the old or the new of a writer that is killed, ${KILLS} times`,
  needs: ["sharing", "processes"],
  async run(scene) {
    for (let round = 0; round < KILLS; round++) await killOnce(scene, (round * 7) % 12);
    const store = await scene.open();
    await store.save("after", (await store.load())?.version);
  },
};

async function killOnce(scene: Scene, delay: number): Promise<void> {
  const writer = scene.start({ do: "save for ever" });
  let told = Number(await writer.next());
  await new Promise((resolve) => setTimeout(resolve, delay));
  writer.kill("SIGKILL");
  await writer.ended;
  told = Number(writer.unread.at(-1) ?? told);
  const found = await (await scene.open()).load();
  const number = numberOf(found?.value ?? "");
  const isWhole = number !== undefined;
  hold(
    isWhole,
    "whole",
    () =>
      `A writer was killed, and load() gave ${inspect(found?.value.slice(0, 60))}…, which is no value that was saved.`,
  );
  // A save that was in flight may have made it, and not yet been told of.
  hold(
    [told, told + 1].includes(number),
    "whole",
    `A writer was killed after it had saved value ${told}, and load() gave value ${number}.`,
  );
}

const ending: StoreCase = {
  name: "lets a process end that has closed what it opened, also while it watches",
  needs: ["processes"],
  async run(scene) {
    await (await scene.open()).save("value", undefined);
    const process = scene.start({ do: "idle" });
    await process.next();
    const code = await within(
      END,
      process.ended,
      () => new ConformanceError("idle", `A process that had nothing left to do was still there after ${END} ms.`),
    );
    hold(code === 0, "idle", `A process that had nothing left to do ended with ${code}.`);
  },
};

const gone: StoreCase = {
  name: "knows a holder that was killed from one that lives or stands still",
  needs: ["holders", "processes", "signals"],
  async run(scene) {
    const { holder } = await scene.open();
    const other = scene.start({ do: "hold" });
    const id = await idOf(other);
    const isGone = async () => (await holder?.isGone(id)) === true;
    hold(!(await isGone()), "holder", "isGone() was true for a process that lives.");
    hold(!(await holder?.isGone(holder.id)), "holder", "isGone() was true for the asking process itself.");
    hold(id !== holder?.id, "holder", "Two processes have the same holder id.");
    other.kill("SIGSTOP");
    hold(!(await isGone()), "holder", "isGone() was true for a process that stands still (SIGSTOP).");
    other.kill("SIGKILL");
    await other.ended;
    hold(await isGone(), "holder", "isGone() was false for a process that had been killed.");
    hold(
      !(await holder?.isGone("no id of this store")),
      "holder",
      "isGone() was true for an id that it does not understand.",
    );
  },
};

async function idOf(process: Remote): Promise<string> {
  const id = await process.next();
  hold(typeof id === "string" && id !== "", "holder", `The holder id of another process is ${inspect(id)}.`);
  return id;
}

export const processCases: readonly StoreCase[] = [increments, whole, killed, ending, gone];
