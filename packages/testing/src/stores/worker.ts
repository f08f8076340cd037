/** The entry point of the kit's child processes, and of their threads: opens the store and runs one task on it. */
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { parentPort, Worker } from "node:worker_threads";
import { createTokenManager, type TokenStore, UnexpiredError } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import type { OpenStore } from "./harness.ts";
import { dispose } from "./scene.ts";
import { INCREMENT_TIME, longValue, numberOf, type Task } from "./tasks.ts";
import { limitTime, withTimeLimit } from "./time-limit.ts";

interface Order {
  readonly module: string;
  readonly argument: unknown;
  readonly task: Task;
  readonly timeout: number;
}

process.on("uncaughtException", (error) => {
  process.stderr.write(inspect(error));
  process.exit(1);
});

const { module, argument, task, timeout }: Order = JSON.parse(process.argv[2] ?? "");
const url = module.startsWith("file:") ? module : pathToFileURL(module).href;
const { openStore }: { openStore: OpenStore<unknown> } = await import(url);
const limit = { ms: timeout, unref: true } as const; // the store must keep the process alive itself
const opening = { clause: "load", what: "openStore()" } as const;
const store = withTimeLimit(await limitTime(limit, opening, openStore(argument)), limit);
const report = (message: unknown) =>
  new Promise<void>((resolve) => {
    if (!parentPort) process.send?.(message, () => resolve());
    else resolve(parentPort.postMessage(message));
  });

switch (task.do) {
  case "increment":
    await report(await increment(task.times));
    await finish();
    break;
  case "save-forever":
    await saveForever();
    break;
  case "save":
    await store.save(task.value, (await store.load())?.version);
    await report("saved");
    await finish();
    break;
  case "hold":
    await report(store.holder?.id ?? null);
    await setTimeout(2 ** 31 - 1);
    break;
  case "hold-in-thread":
    await holdInThread();
    break;
  case "idle":
    await store.load();
    store.watch?.(() => {});
    await report("idle");
    await finish();
    break;
  case "session":
    await keepSession(task.tokenEndpoint);
    break;
}

async function finish(): Promise<void> {
  await dispose(store);
  process.disconnect();
}

async function holdInThread(): Promise<void> {
  const order = JSON.stringify({ module, argument, task: { do: "hold" } });
  const thread = new Worker(fileURLToPath(import.meta.url), { argv: [order] });
  const [id] = await once(thread, "message");
  const told = once(process, "message");
  await report(id);
  await told;
  await thread.terminate();
  await report("terminated");
}

async function increment(times: number): Promise<number> {
  const end = performance.now() + INCREMENT_TIME;
  let done = 0;
  while (done < times && performance.now() < end) {
    const stored = await store.load();
    const next = String(Number(stored?.value ?? 0) + 1);
    if (await trySave(store, next, stored?.version)) done++;
  }
  return done;
}

async function trySave(to: TokenStore, value: string, expected: string | undefined): Promise<boolean> {
  try {
    await to.save(value, expected);
    return true;
  } catch (error) {
    if (UnexpiredError.is(error) && error.code === "STORE_CONFLICT") return false;
    throw error;
  }
}

async function saveForever(): Promise<never> {
  const go = once(process, "message");
  await report("ready");
  await go;
  let stored = await store.load();
  for (let number = (stored ? (numberOf(stored.value) ?? 0) : 0) + 1; ; number++) {
    const value = longValue(number);
    const version = await store.save(value, stored?.version);
    stored = { value, version };
    await report(number);
  }
}

async function keepSession(tokenEndpoint: string): Promise<void> {
  let ahead = 0;
  const clock = { now: () => Date.now() + ahead, monotonic: () => performance.now() + ahead };
  const tokens = createTokenManager({ store, clock, refresh: oauth2Refresh({ tokenEndpoint, clientId: "kit" }) });
  process.on("message", async (moment: number) => {
    ahead = moment;
    await report(await tokens.getAccessToken().catch((error: unknown) => ({ error: String(error) })));
  });
  await report("ready");
}
