/** Measures the memory and the timers of sessions in a process of its own: `node --expose-gc memory.ts`. */
import { createHook } from "node:async_hooks";
import { setTimeout } from "node:timers/promises";
import type { Clock, Session } from "@unexpired/core";
import { systemClock } from "@unexpired/core/adapter";
import type { IssuedTokens } from "./authorization.ts";
import type { ServerConfig } from "./backend.ts";
import { answerParent, configOf } from "./child.ts";
import { openSessions } from "./unexpired-backend.ts";

/** The memory of sessions in bytes for each, and the timers of all. */
export interface MemoryReport {
  /** Of a session in memory, without its token strings: what is freed when it is closed. */
  readonly live: number;
  /** Of a session that was closed because it was idle. */
  readonly idle: number;
  /** The timers that exist because of all live sessions together. */
  readonly timers: number;
}

const ROTATIONS = 3;
const IDLE_TIMEOUT = 300_000; // ms
const CONCURRENCY = 8; // each has a connection to the token endpoint
const config = configOf<ServerConfig>();

/** The time that was skipped, and the timer that ends an idle timeout, which {@link close} calls instead. */
let skipped = 0;
let onIdle = () => {};
const clock: Partial<Clock> = {
  monotonic: () => systemClock.monotonic() + skipped,
  setTimer(callback, delay, keepAlive) {
    if (delay !== IDLE_TIMEOUT) return systemClock.setTimer(callback, delay, keepAlive);
    onIdle = callback;
    return () => {};
  },
};
const { sessions } = openSessions(config, { clock, idleTimeout: IDLE_TIMEOUT });

/** Opens sessions, a few at a time, and refreshes each. Returns the bytes of their token strings. */
async function use(users: readonly string[], rotations = ROTATIONS): Promise<number> {
  const left = users.values();
  let bytes = 0;
  const useNext = async () => {
    for (const user of left) {
      const own = await refresh(sessions.get(user), rotations);
      bytes += own;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, useNext));
  return bytes;
}

async function refresh(session: Session, rotations: number): Promise<number> {
  await session.getAccessToken();
  for (let rotation = 0; rotation < rotations; rotation++) await session.refresh();
  const { accessToken, refreshToken = "" } = await session.getTokenSet();
  return accessToken.length + refreshToken.length;
}

/** Lets the idle timeout pass. */
async function close(): Promise<void> {
  for (; sessions.size > 0; await setTimeout(50)) {
    skipped += IDLE_TIMEOUT;
    onIdle();
  }
}

/** Returns the bytes in use, after the program has been cleared of code that it does not use. */
async function heap(): Promise<number> {
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
    await setTimeout(100); // finalizers, and what is left of the last requests
  }
  return process.memoryUsage().heapUsed;
}

/** Returns how many more timers exist after `work` than before, of those that were created by then. */
async function timersOf(work: () => Promise<unknown>): Promise<number> {
  const timers = new Set<number>();
  const hook = createHook({
    init: (id, type) => void (type === "Timeout" && timers.add(id)),
    destroy: (id) => void timers.delete(id),
  }).enable();
  await work();
  hook.disable();
  return timers.size;
}

/** The other users warm up the program: its code and the buffers of its connections are no memory of sessions. */
async function measure({ users, others }: { users: string[]; others: string[] }): Promise<MemoryReport> {
  await use(others);
  await close();
  const before = await heap();
  const bytes = await use(users);
  const live = await heap();
  await close();
  const idle = await heap();
  const timers = await timersOf(() => use(users, 1));
  return { live: (live - idle - bytes) / users.length, idle: (idle - before) / users.length, timers };
}

answerParent({
  signIn: ({ user, tokens }: { user: string; tokens: IssuedTokens }) => sessions.signIn(user, tokens),
  measure,
});
