import { parentPort, workerData } from "node:worker_threads";
import type { Share } from "./campaign.ts";
import type { Mutant } from "./mutate.ts";

/** The input of a worker. */
export interface Task extends Partial<Pick<Mutant, "edits" | "focus">> {
  readonly share: Share;
}

Error.stackTraceLimit = 0; // stacks of injected faults take time; the main thread, which replays what fails, keeps them

const { share, edits = [], focus } = workerData as Task;
if (edits.length > 0) {
  const { mutateOnLoad } = await import("./mutate.ts"); // imported only if needed: Node 22.12 lacks the hooks
  mutateOnLoad(edits);
}
const { campaign } = await import("./campaign.ts"); // after the hooks, so that the sources that it loads are mutated
parentPort?.postMessage(await campaign(share, focus));
