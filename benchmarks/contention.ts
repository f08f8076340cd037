/** How long until every one of several processes, released at once on an expired session, has its token. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createTokenManager } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import type { ContenderConfig, Finish, Way } from "./contender.ts";

const LATENCY = 50;
const { values } = parseArgs({
  options: {
    repetitions: { type: "string", default: "7" },
    processes: { type: "string", default: "8,32" },
    /** Also the lock with its own back-off, which takes half a minute a time. */
    patient: { type: "boolean", default: false },
  },
});
const WAYS: readonly Way[] = ["ideal", "unexpired", "lock, tuned", "ideal, again"];

interface Scene {
  readonly processes: number;
  /** Whether each process has already obtained a token, like a running program; otherwise this is its first call. */
  readonly isWarm: boolean;
}

interface Outcome {
  readonly settle: number;
  readonly exchanges: number;
  /** Processor time of a process, in milliseconds: the median of all. */
  readonly work: number;
}

let exchanges = 0;
const server = createServer((request, response) => {
  request.resume().once("end", () => {
    exchanges += 1;
    const tokens = { access_token: `at-${exchanges}`, refresh_token: `rt-${exchanges}`, token_type: "Bearer" };
    const body = JSON.stringify({ ...tokens, expires_in: 3600 });
    setTimeout(() => response.writeHead(200, { "content-type": "application/json" }).end(body), LATENCY);
  });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const tokenEndpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
const directory = mkdtempSync(join(tmpdir(), "unexpired-contention-"));

try {
  for (const processes of values.processes.split(",").map(Number)) {
    for (const isWarm of [false, true]) await compare({ processes, isWarm });
  }
} finally {
  server.close();
  rmSync(directory, { recursive: true });
}

/** The ways take turns, so that all of them meet the same noise. */
async function compare(scene: Scene): Promise<void> {
  const outcomes = new Map<Way, Outcome[]>();
  for (let repetition = 0; repetition < Number(values.repetitions); repetition++) {
    for (const way of WAYS) outcomes.set(way, [...(outcomes.get(way) ?? []), await run(way, scene)]);
  }
  if (values.patient) outcomes.set("lock, as it comes", [await run("lock, as it comes", scene)]);
  const reference = median((outcomes.get("ideal") ?? []).map(({ settle }) => settle));
  const kind = scene.isWarm ? "that have got a token before" : "at their first call";
  console.log(`\n${scene.processes} processes ${kind}; token endpoint ${LATENCY} ms, medians of ${values.repetitions}`);
  for (const [way, each] of outcomes) console.log(`  ${line(way, each, reference)}`);
}

function line(way: Way, outcomes: readonly Outcome[], reference: number): string {
  const settles = outcomes.map(({ settle }) => settle);
  const settle = median(settles);
  const work = median(outcomes.map((one) => one.work));
  const sent = Math.max(...outcomes.map((one) => one.exchanges));
  return [
    way.padEnd(18),
    `${settle.toFixed(0).padStart(6)} ms (${Math.min(...settles).toFixed(0)} to ${Math.max(...settles).toFixed(0)})`,
    `${(settle / LATENCY).toFixed(2)} × latency`,
    `${(settle / reference).toFixed(2)} × ideal`,
    `${work.toFixed(1)} ms of processor time each`,
    `${sent} exchange${sent === 1 ? "" : "s"}`,
  ].join("  ");
}

async function run(way: Way, { processes, isWarm }: Scene): Promise<Outcome> {
  const path = await writeExpired(way);
  const start = async (_: unknown, index: number) => {
    const warmUp = isWarm ? await writeExpired(way) : undefined;
    return startProcess({ way, path, tokenEndpoint, isChosen: index === 0, warmUp });
  };
  const all = await Promise.all(Array.from({ length: processes }, start));
  const before = exchanges;
  const moment = performance.timeOrigin + performance.now() + 200 + 10 * processes;
  const finishes = all.map((child) => nextMessage<Finish>(child));
  for (const child of all) child.send(moment);
  const finished = await Promise.all(finishes);
  for (const child of all) child.disconnect();
  await Promise.all(all.map((child) => child.exitCode ?? once(child, "exit")));
  if (new Set(finished.map(({ accessToken }) => accessToken)).size !== 1) throw new Error(`${way}: not one token`);
  const settle = Math.max(...finished.map(({ at }) => at)) - moment;
  return { settle, exchanges: exchanges - before, work: median(finished.map(({ work }) => work)) };
}

async function writeExpired(way: Way): Promise<string> {
  const path = join(mkdtempSync(join(directory, "run-")), "session.json");
  const session = { accessToken: "at-0", refreshToken: "rt-0", expiresAt: 0 };
  if (way !== "unexpired") {
    writeFileSync(path, JSON.stringify(session));
    return path;
  }
  const tokens = createTokenManager({ store: fileStore({ path }) });
  await tokens.signIn(session);
  await tokens.close();
  return path;
}

async function startProcess(config: ContenderConfig): Promise<ChildProcess> {
  const env = { ...process.env, NODE_COMPILE_CACHE: join(directory, "cache") };
  const child = fork(join(import.meta.dirname, "contender.ts"), [JSON.stringify(config)], { env });
  await nextMessage(child);
  return child;
}

/** Resolves to the next message of a process, and rejects if the process ends first. */
async function nextMessage<T>(child: ChildProcess): Promise<T> {
  const failure = once(child, "exit").then(([code]) => Promise.reject(new Error(`a process ended with ${code}`)));
  const [message] = await Promise.race([once(child, "message"), failure]);
  return message as T;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
