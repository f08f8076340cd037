/** One process that shares the session, with fault points between the real store and the real protocol. */
import { inspect } from "node:util";
import { createFetch, createTokenManager, UnexpiredError } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import * as sessionRecord from "@unexpired/core/session-record";
import { openDocumentStore } from "../../packages/store-node/src/documents/document-store.ts";
import { openFileStore } from "../../packages/store-node/src/file-store.ts";
import { nodeFileSystem } from "../../packages/store-node/src/filesystem.ts";
import { FORMAT } from "./documents.ts";
import { type Order, tell, type WorkerConfig } from "./messages.ts";
import { dropRights } from "./rights.ts";
import { Trap } from "./trap.ts";
import { trapFileHandles, trappedDisk, trappedLock, withFileInUse } from "./trapped-disk.ts";
import { expiredTokens, trappedFlow, trappedRefresh, trappedStore } from "./trapped-protocol.ts";

const config: WorkerConfig = JSON.parse(process.argv[2] ?? "{}");
const { sessionPath, tokenEndpoint, clientId, timeout, provider } = config;
const trap = new Trap(config.trap, sessionPath);
await trapFileHandles(trap);
if (config.isWithoutRights) await dropRights();
const disk = config.document === "in-place" ? withFileInUse(nodeFileSystem, sessionPath) : nodeFileSystem;
const deps = {
  fs: trappedDisk(disk, trap, config.everyoneWinsTheLock),
  lock: trappedLock(trap, config.everyoneWinsTheLock),
};
const store = config.document
  ? openDocumentStore(sessionPath, { ...deps, format: FORMAT })
  : openFileStore(sessionPath, { ...deps, rules: sessionRecord });
const tokens = createTokenManager({
  store: trappedStore(store, trap),
  refresh: trappedRefresh(oauth2Refresh({ tokenEndpoint, clientId, timeout }), trap),
  provider,
});
tokens.subscribe((event) => {
  if (event.type === "sign-in-awaited") tell({ type: "awaited", holder: event.holder });
  if (event.type !== "exchange-started") return;
  tell({ type: "exchange", attemptId: event.attemptId, afterLoss: event.afterLoss });
});
let respond = (_refreshToken: string | undefined) => {};
const flow = trappedFlow(
  trap,
  () =>
    new Promise((resolve) => {
      respond = resolve;
    }),
);
const call = createFetch(tokens, { origins: [config.api] });

process.on("message", (order: Order) => void obey(order));
process.on("disconnect", () => process.exit());
tell({ type: "ready" });

async function obey(order: Order): Promise<void> {
  if (order.do === "respond") return respond(order.refreshToken);
  if (order.do === "end") {
    await tokens.close();
    process.disconnect();
    return;
  }
  try {
    if (order.do === "close") {
      await tokens.close();
      tell({ type: "settled", outcome: "closed", told: inspect(tokens) });
      return;
    }
    if (order.do === "refresh") await tokens.refresh();
    if (order.do === "sign-in") await tokens.signIn(expiredTokens(order.refreshToken));
    if (order.do === "sign-in-with") await tokens.signInWith(flow);
    const response = await call(config.api);
    tell({ type: "settled", outcome: String(response.status), told: inspect(tokens) });
  } catch (error) {
    // Printed in full, because the round searches it for tokens.
    tell({ type: "settled", outcome: nameOf(error), told: inspect(error, { depth: 9, showHidden: true }) });
  } finally {
    if (order.do === "close") process.disconnect();
  }
}

function nameOf(error: unknown): string {
  if (!UnexpiredError.is(error)) return `untyped ${String(error)}`;
  const isAboutSignIn = error.code === "SIGN_IN_REQUIRED" || error.code === "SIGN_IN_FAILED";
  return isAboutSignIn ? `${error.code} ${error.reason}` : error.code;
}
