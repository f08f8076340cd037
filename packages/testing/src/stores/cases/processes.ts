import { setImmediate, setTimeout } from "node:timers/promises";
import { inspect } from "node:util";
import type { StoredValue } from "@unexpired/core";
import { ConformanceError, hold, success } from "../../contract.ts";
import { within } from "../../within.ts";
import type { Remote } from "../fork.ts";
import type { StoreScene } from "../scene.ts";
import { numberOf } from "../tasks.ts";
import { begin, type StoreCase } from "./case.ts";

const PROCESSES = 8;
const INCREMENTS = 100;
const KILLS = 50;
const READS = 40;
const BOUND = 20_000; // for what takes milliseconds

const increments: StoreCase = {
  name: `loses none of ${PROCESSES} processes × ${INCREMENTS} increments`,
  needs: ["sharing", "processes"],
  async run(scene) {
    const start = () => scene.start({ do: "increment", times: INCREMENTS });
    const processes = Array.from({ length: PROCESSES }, start);
    for (const each of processes)
      await success(each.next(), "save", `One of ${PROCESSES} processes that load, save and retry after a conflict`);
    const found = await (await scene.open()).load();
    const sum = PROCESSES * INCREMENTS;
    hold(
      found?.value === `${sum}`,
      "save",
      () => `After ${sum} increments by ${PROCESSES} processes the number is ${found?.value}: ${fate(found, sum)}.`,
    );
  },
};

const fate = (found: StoredValue | undefined, sum: number): string =>
  Number(found?.value) > sum ? "some were refused, and stored all the same" : "some were accepted, and lost";

const whole: StoreCase = {
  name: "shows the old or the new to who reads during a save, whole",
  needs: ["sharing", "processes"],
  async run(scene) {
    const writer = await startWriter(scene);
    await firstSave(writer);
    let hasEnded = false;
    void writer.ended.then(() => {
      hasEnded = true;
    });
    const store = await scene.open();
    const end = performance.now() + BOUND;
    let last = 0;
    for (let distinct = 0; distinct < READS; await setImmediate()) {
      const number = wholeNumber(await store.load(), "During a save");
      hold(number >= last, "load", `After value ${last} load() gave value ${number}, which is older.`);
      if (number > last) distinct++;
      last = number;
      if (hasEnded) await lastWords(writer);
      hold(
        performance.now() < end,
        "load",
        `A process saved for ${BOUND} ms, and load() gave ${distinct} values of it.`,
      );
    }
  },
};

/** Rejects with what ended it. */
async function lastWords(writer: Remote): Promise<never> {
  for (;;) await success(writer.next(), "save", "save() in another process, of which this one loads,");
}

/** Which value was loaded. */
function wholeNumber(found: StoredValue | undefined, when: string): number {
  const number = numberOf(found?.value ?? "");
  hold(number !== undefined, "whole", () => `${when} load() gave ${shown(found)}, which is nothing that was saved.`);
  return number;
}

const shown = (found: StoredValue | undefined): string =>
  found ? `${inspect(found.value.slice(0, 40))}… (${found.value.length} characters)` : "undefined";

async function startWriter(scene: StoreScene): Promise<Remote> {
  const writer = scene.start({ do: "save for ever" });
  await success(writer.next(), "save", "To open the store in another process");
  return writer;
}

async function firstSave(writer: Remote): Promise<number> {
  writer.send("go");
  const late = () => new ConformanceError("save", `save() in another process did nothing for ${BOUND} ms.`);
  return Number(await success(within(BOUND, writer.next(), late), "save", "save() in another process"));
}

const killed: StoreCase = {
  name: `keeps the old or the new of a writer that is killed, ${KILLS} times`,
  needs: ["sharing", "processes"],
  async run(scene) {
    let next = startWriter(scene);
    for (let round = 1; round <= KILLS; round++) {
      const writer = await next;
      if (round < KILLS) next = startWriter(scene); // it gets ready meanwhile
      next.catch(() => {});
      await killOnce(scene, writer, (round * 7) % 12);
    }
    const store = await scene.open();
    const version = (await store.load())?.version;
    await success(store.save("after", version), "save", "After writers had been killed save()");
  },
};

async function killOnce(scene: StoreScene, writer: Remote, delay: number): Promise<void> {
  const first = await firstSave(writer);
  await setTimeout(delay);
  writer.kill("SIGKILL");
  await writer.ended;
  const told = Number(writer.unread.at(-1) ?? first);
  const store = await scene.open();
  const late = () => new ConformanceError("load", `A writer was killed, and load() did nothing for ${BOUND} ms.`);
  const number = wholeNumber(await within(BOUND, store.load(), late), "After a writer had been killed");
  // A save that was in flight may have made it, and not yet been told of.
  hold(
    [told, told + 1].includes(number),
    "whole",
    `A writer was killed after it had saved value ${told}, and load() gave value ${number}.`,
  );
}

const END = 5_000;

const ending: StoreCase = {
  name: "lets a process end that has closed what it opened, also while it watches",
  needs: ["processes"],
  async run(scene) {
    await begin(await scene.open(), "value");
    const other = scene.start({ do: "idle" });
    await success(other.next(), "idle", "A process that loads and watches");
    const code = await within(
      END,
      other.ended,
      () => new ConformanceError("idle", `A process that had nothing left to do was still there after ${END} ms.`),
    );
    hold(code === 0, "idle", `A process that had nothing left to do ended with ${code}.`);
  },
};

export const processCases: readonly StoreCase[] = [increments, whole, killed, ending];
