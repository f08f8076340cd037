/** One process of the demo. It calls the API at a steady pace and reports to its parent process. */
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Caller } from "./caller.ts";
import type { Message, Order, WorkerConfig } from "./messages.ts";

const MOST_IN_FLIGHT = 4;
const REPORT_EVERY = 200;

const config: WorkerConfig = JSON.parse(process.argv[2] ?? "{}");
const running = new Set<Promise<void>>();
let requests = 0;
let failed = 0;
let pacing = false;
let stopping = false;
/** The failures reported so far: each kind is reported once. */
const reported = new Set<string>();

process.on("SIGINT", () => {}); // Ctrl-C also reaches this process, but its parent decides
process.on("disconnect", leave);
process.on("uncaughtException", (error) => {
  // Only the message: an inspected error of an HTTP client shows the request, which has the token.
  send({ type: "failure", text: `crashed: ${error.message}` }, () => process.exit(1));
});

const caller = await createCaller();
process.on("message", (order: Order) => void ORDERS[order]());
setInterval(report, REPORT_EVERY).unref();
send({ type: "ready" });

async function createCaller(): Promise<Caller> {
  if (config.mode === "naive") return (await import("./naive.ts")).naiveCaller(config, report);
  return (await import("./unexpired.ts")).unexpiredCaller(config, report);
}

const ORDERS: Record<Order, () => Promise<void>> = {
  go: async () => {
    pacing = true;
    for (let due = performance.now(); pacing; due += config.interval) {
      await sleep(Math.max(0, due - performance.now()));
      if (pacing && running.size < MOST_IN_FLIGHT) track(request());
    }
  },
  die: async () => {
    pacing = false;
    const dieIfIdle = () => (caller.idle ? process.kill(process.pid, "SIGKILL") : setTimeout(ORDERS.die, 10));
    // The process kills itself in the tick of the check: from outside, an exchange could begin between check and kill.
    report(dieIfIdle);
  },
  stop: async () => {
    pacing = false;
    stopping = true;
    await Promise.all(running);
    await caller.close();
    report(() => process.disconnect());
  },
};

function track(work: Promise<void>): void {
  running.add(work);
  void work.finally(() => running.delete(work));
}

async function request(): Promise<void> {
  try {
    await caller.call();
  } catch (error) {
    failed += 1;
    const text = `a request failed: ${error instanceof Error ? error.message : "?"}`;
    if (!reported.has(text)) send({ type: "failure", text });
    reported.add(text);
  }
  requests += 1;
}

/** Exits because the parent has exited, and removes the session, so that nothing stays behind. */
function leave(): void {
  if (!stopping) rmSync(dirname(config.sessionPath), { recursive: true, force: true, maxRetries: 5 });
  process.exit();
}

function report(sent?: () => void): void {
  const { status, exchanges } = caller;
  send({ type: "report", report: { status, requests, failed, exchanges } }, sent);
}

function send(message: Message, sent: () => void = () => {}): void {
  if (process.connected) process.send?.(message, sent);
}
