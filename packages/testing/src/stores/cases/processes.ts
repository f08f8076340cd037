import { setImmediate, setTimeout } from "node:timers/promises";
import { inspect } from "node:util";
import type { StoredValue } from "@unexpired/core";
import { type Clause, ConformanceError, expectSuccess, expectThat } from "../../contract.ts";
import { within } from "../../within.ts";
import type { Remote } from "../fork.ts";
import type { StoreScene } from "../scene.ts";
import { INCREMENT_TIME, numberOf } from "../tasks.ts";
import { type StoreCase, saveFirst } from "./case.ts";

const PROCESSES = 8;
const INCREMENTS = 100;
const KILLS = 50;
const READS = 40;
const TIMEOUT = 20_000; // ms; generous: the operation takes milliseconds

const increments: StoreCase = {
  name: `loses no update if ${PROCESSES} processes increment up to ${INCREMENTS} times each`,
  needs: ["sharing", "processes"],
  async run(scene) {
    const start = () => scene.start({ do: "increment", times: INCREMENTS });
    const processes = Array.from({ length: PROCESSES }, start);
    let sum = 0;
    for (const each of processes) {
      const what = `One of ${PROCESSES} processes that load, save and retry after a conflict`;
      sum += Number(await expectSuccess(each.next(), "save", what));
    }
    const found = await (await scene.open()).load();
    expectThat(sum > 0, "save", `In ${INCREMENT_TIME} ms, none of ${PROCESSES} processes was able to save.`);
    expectThat(
      found?.value === `${sum}`,
      "save",
      () =>
        `After ${sum} increments by ${PROCESSES} processes, the number is ${found?.value}: ${explainSum(found, sum)}.`,
    );
  },
};

const explainSum = (found: StoredValue | undefined, sum: number): string =>
  Number(found?.value) > sum ? "some saves were rejected but stored anyway" : "some saves were accepted but lost";

const whole: StoreCase = {
  name: "loads a complete old or new value during a save",
  needs: ["sharing", "processes"],
  async run(scene) {
    const writer = await startWriter(scene);
    await firstSave(writer);
    let hasEnded = false;
    void writer.ended.then(() => {
      hasEnded = true;
    });
    const store = await scene.open();
    const end = performance.now() + TIMEOUT;
    let last = 0;
    for (let distinct = 0; distinct < READS; await setImmediate()) {
      const number = expectWhole(await store.load(), "During a save");
      expectThat(number >= last, "load", `After value ${last}, load() returned value ${number}, which is older.`);
      if (number > last) distinct++;
      last = number;
      if (hasEnded) await throwWriterError(writer);
      expectThat(
        performance.now() < end,
        "load",
        `Another process saved for ${TIMEOUT} ms, but load() returned only ${distinct} of its values.`,
      );
    }
  },
};

/** Rejects with the error that ended the writer. */
async function throwWriterError(writer: Remote): Promise<never> {
  for (;;) await expectSuccess(writer.next(), "save", "save() in another process while this one loads");
}

/** Returns the number of the loaded value, which must be complete. */
function expectWhole(found: StoredValue | undefined, when: string): number {
  const number = numberOf(found?.value ?? "");
  expectThat(number !== undefined, "whole", () => `${when}, load() returned ${shown(found)}, which was never saved.`);
  return number;
}

const shown = (found: StoredValue | undefined): string =>
  found ? `${inspect(found.value.slice(0, 40))}… (${found.value.length} characters)` : "undefined";

async function startWriter(scene: StoreScene): Promise<Remote> {
  const writer = scene.start({ do: "save-forever" });
  await expectSuccess(writer.next(), "save", "Opening the store in another process");
  return writer;
}

async function firstSave(writer: Remote, clause: Clause = "save", what = "save() in another process"): Promise<number> {
  writer.send("go");
  const late = () => new ConformanceError(clause, `${what} did not finish within ${TIMEOUT} ms.`);
  return Number(await expectSuccess(within(TIMEOUT, writer.next(), late), clause, what));
}

const killed: StoreCase = {
  name: `keeps a complete old or new value when a writer is killed, ${KILLS} times`,
  needs: ["sharing", "processes"],
  async run(scene) {
    let next = startWriter(scene);
    for (let round = 1; round <= KILLS; round++) {
      const writer = await next;
      if (round < KILLS) next = startWriter(scene); // starts in the background
      next.catch(() => {});
      const first = await (round === 1 ? firstSave(writer) : firstSave(writer, "whole", AFTER_KILL));
      await killOnce(scene, writer, { first, delay: (round * 7) % 12 });
    }
    const store = await scene.open();
    const version = (await store.load())?.version;
    await expectSuccess(store.save("after", version), "save", "save() after writers were killed");
  },
};

const AFTER_KILL = "save() in another process, after a writer was killed,";

interface Kill {
  /** The first value that the writer saved. */
  readonly first: number;
  /** How long after that it is killed, in milliseconds. */
  readonly delay: number;
}

async function killOnce(scene: StoreScene, writer: Remote, { first, delay }: Kill): Promise<void> {
  await setTimeout(delay);
  writer.kill("SIGKILL");
  await writer.ended;
  const lastReported = Number(writer.unread.at(-1) ?? first);
  const store = await scene.open();
  const late = () =>
    new ConformanceError("load", `After a writer was killed, load() did not finish within ${TIMEOUT} ms.`);
  const number = expectWhole(await within(TIMEOUT, store.load(), late), "After a writer was killed");
  // A save that was in flight may have succeeded without having been reported.
  expectThat(
    [lastReported, lastReported + 1].includes(number),
    "whole",
    `A writer was killed after it saved value ${lastReported}, but load() returned value ${number}.`,
  );
}

const EXIT_TIMEOUT = 5_000;

const ending: StoreCase = {
  name: "lets a process exit if the store is idle or closed, even while it watches",
  needs: ["processes"],
  async run(scene) {
    await saveFirst(await scene.open(), "value");
    const other = scene.start({ do: "idle" });
    await expectSuccess(other.next(), "idle", "A process that loads and watches");
    const code = await within(
      EXIT_TIMEOUT,
      other.ended,
      () =>
        new ConformanceError("idle", `A process with nothing left to do was still running after ${EXIT_TIMEOUT} ms.`),
    );
    expectThat(code === 0, "idle", `A process with nothing left to do exited with code ${code}.`);
  },
};

export const processCases: readonly StoreCase[] = [increments, whole, killed, ending];
