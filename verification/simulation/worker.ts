import { parentPort, workerData } from "node:worker_threads";
import type { Share } from "./campaign.ts";
import type { Edit } from "./mutate.ts";

/** What a worker is given. */
export interface Task {
  readonly share: Share;
  readonly edits: readonly Edit[];
}

const { share, edits } = workerData as Task;
if (edits.length > 0) {
  const { mutateOnLoad } = await import("./mutate.ts"); // only now: Node 22.12 has no hooks for it
  mutateOnLoad(edits);
}
const { campaign } = await import("./campaign.ts"); // only now: what it loads is what is mutated
parentPort?.postMessage(await campaign(share));
