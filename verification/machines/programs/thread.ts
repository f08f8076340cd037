/** A worker thread that claims the session, reports that, and never completes its exchange. */
import { parentPort, workerData } from "node:worker_threads";
import type { MemberOptions } from "../member.ts";
import { loadPacked } from "../packed.ts";

const { folder, path } = workerData as MemberOptions;
const { core, storeNode } = await loadPacked(folder);
const tokens = core.createTokenManager({
  store: storeNode.fileStore({ path }),
  refresh: () => new Promise(() => {}),
});
tokens.subscribe(({ type }) => type === "exchange-started" && parentPort?.postMessage("claimed"));
await tokens.getAccessToken();
