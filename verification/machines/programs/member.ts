/** A process that shares a session. Each message names an action; the reply is its outcome as text. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { outcome } from "@unexpired-internal/tables/outcome";
import { memoryKeychain } from "../keychain.ts";
import type { Action, MemberOptions } from "../member.ts";
import { loadPacked } from "../packed.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as MemberOptions;
const { folder, path, tokenEndpoint, timeout, ahead = 0, keychain, uid } = options;
const { core, oauth2, storeNode, storeKeychain } = await loadPacked(folder);
if (uid !== undefined) {
  process.setgid?.(uid);
  process.setuid?.(uid);
}

const tokens = core.createTokenManager({
  store:
    keychain === undefined
      ? storeNode.fileStore({ path })
      : storeKeychain.keychainStore({ service: "machines", account: "ada", backend: memoryKeychain() }),
  refresh: oauth2.oauth2Refresh({ tokenEndpoint, clientId: "machine", timeout }),
  clock: { now: () => Date.now() + ahead },
});

/**
 * Stops the event loop for twice the deadline of an exchange in flight, whose request has left: after the poll phase, so
 * that timers run before the response is read.
 */
async function block(): Promise<string> {
  const result = tokens.getAccessToken();
  await new Promise<void>((resolve) => {
    tokens.subscribe(({ type }) => type === "exchange-started" && setTimeout(setImmediate, 100, resolve));
  });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * timeout);
  return result;
}

/** Starts a worker thread that claims the session, and terminates it in its exchange. */
async function terminateThread(): Promise<string> {
  const worker = new Worker(new URL("thread.ts", import.meta.url), { workerData: options });
  await once(worker, "message");
  await worker.terminate();
  return tokens.getAccessToken();
}

const actions: Readonly<Record<Action, () => Promise<unknown>>> = {
  token: () => tokens.getAccessToken(),
  refresh: () => tokens.refresh(),
  hasSession: () => tokens.hasSession(),
  signOut: () => tokens.signOut(),
  signIn: () => tokens.signIn({ accessToken: "canary-access-of-a-member" }),
  close: () => tokens.close(),
  stored: async () => (await storeNode.fileStore({ path }).load()) !== undefined,
  block,
  thread: terminateThread,
};

process.on("message", async (action: Action) => {
  process.send?.(await outcome(actions[action]()));
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
