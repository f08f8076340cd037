/** One of several agents that share a pool of sessions: it asks a model, runs the tools that it asks for, and repeats that. */
import { setTimeout as sleep } from "node:timers/promises";
import type { SessionEvent } from "@unexpired/core";
import { fetchWithTokens, flow, pool, session } from "./auth.ts";
import { API } from "./settings.ts";

const MESSAGES: Partial<Record<SessionEvent["type"], string>> = {
  "exchange-started": "refreshing the session",
  refreshed: "refreshed the session",
  "tokens-adopted": "took over the tokens of another program",
  "entry-set-aside": "an entry was put aside",
};
pool.subscribe(({ type }) => {
  if (MESSAGES[type]) console.debug(`${process.pid}: ${MESSAGES[type]}`);
});

async function call(path: string): Promise<string> {
  const response = await fetchWithTokens(new URL(path, API));
  if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
  return response.text();
}

let isStopped = process.argv[2] === "login";
if (isStopped) await session.signInWith(flow);
process.once("SIGTERM", () => {
  isStopped = true;
});

for (let turn = 1; !isStopped; turn++) {
  try {
    await call("/v1/messages");
    await Promise.all(["read_file", "search"].map((tool) => call(`/v1/tools/${tool}`)));
    console.log(`turn ${turn} with ${pool.source()}`);
  } catch (error) {
    console.error(`turn ${turn} failed: ${error instanceof Error ? error.message : "unknown"}`);
    await sleep(100);
  }
}
await pool.close();
await session.close();
