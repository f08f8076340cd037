import { parentPort, workerData } from "node:worker_threads";
import type { Share } from "./campaign.ts";
import { type Edit, mutateOnLoad } from "./mutate.ts";

/** What a worker is given. */
export interface Task {
  readonly share: Share;
  readonly edits: readonly Edit[];
}

const { share, edits } = workerData as Task;
if (edits.length > 0) mutateOnLoad(edits);
const { campaign } = await import("./campaign.ts"); // only now: what it loads is what is mutated
parentPort?.postMessage(await campaign(share));
