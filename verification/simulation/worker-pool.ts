import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Share, Totals } from "./campaign.ts";
import type { Mutant } from "./mutate.ts";
import type { Task } from "./worker.ts";

/** Runs a share of the seeds in its own thread, if wanted with a mutant's edits and in its worlds. */
export async function runInWorker(share: Share, mutant?: Mutant): Promise<Totals> {
  const task: Task = { share, ...mutant };
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: task });
  const [totals] = (await once(worker, "message")) as [Totals];
  await worker.terminate();
  return totals;
}

/** Runs tasks, at most `width` at a time, and returns their results in the tasks' order. */
export async function inParallel<T, R>(tasks: readonly T[], width: number, run: (task: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < tasks.length; index = next++) {
      const task = tasks[index];
      if (task !== undefined) results[index] = await run(task);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}
