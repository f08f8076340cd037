/** The main process of a desktop app: it loads a library of 50 albums at launch, and then looks for changes. */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { isAuthError } from "@unexpired/core";
import { api, flow, session } from "./auth.ts";

session.subscribe(({ type }) => {
  if (type === "exchange-started") console.debug("refreshing the session");
  if (type === "refresh-failed") console.debug("the refresh failed, and will be repeated");
});

// With Electron, the user presses a button.
createInterface({ input: process.stdin }).on("line", async () => {
  await session.signIn(await flow());
});
process.once("SIGTERM", async () => {
  await session.close();
  process.exit();
});

async function load(what: string, albums: number): Promise<void> {
  try {
    const responses = await Promise.all(Array.from({ length: albums }, (_, album) => api.get(`/albums/${album}`)));
    console.log(`${what}: ${responses.length} albums`);
  } catch (error) {
    const problem = error instanceof Error ? error.message : "unknown";
    console.error(isAuthError(error) ? `please sign in: ${problem}` : `${what} failed: ${problem}`);
  }
}

await load("launch", 50);
for (let number = 1; ; number++) {
  await sleep(200);
  await load(`change ${number}`, 4);
}
