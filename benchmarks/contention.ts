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
    const answer = { access_token: `at-${exchanges}`, refresh_token: `rt-${exchanges}`, token_type: "Bearer" };
    const body = JSON.stringify({ ...answer, expires_in: 3600 });
    setTimeout(() => response.writeHead(200, { "content-type": "application/json" }).end(body), LATENCY);
  });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const tokenEndpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
const directory = mkdtempSync(join(tmpdir(), "unexpired-contention-"));

try {
  for (const processes of values.processes.split(",").map(Number)) await compare(processes);
} finally {
  server.close();
  rmSync(directory, { recursive: true });
}

/** The ways take turns, so that all of them meet the same noise. */
async function compare(processes: number): Promise<void> {
  const outcomes = new Map<Way, Outcome[]>();
  for (let repetition = 0; repetition < Number(values.repetitions); repetition++) {
    for (const way of WAYS) outcomes.set(way, [...(outcomes.get(way) ?? []), await run(way, processes)]);
  }
  if (values.patient) outcomes.set("lock, as it comes", [await run("lock, as it comes", processes)]);
  const reference = median((outcomes.get("ideal") ?? []).map(({ settle }) => settle));
  console.log(`\n${processes} processes, token endpoint ${LATENCY} ms, ${values.repetitions} repetitions (medians)`);
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

async function run(way: Way, processes: number): Promise<Outcome> {
  const path = join(mkdtempSync(join(directory, "run-")), "session.json");
  await writeExpired(way, path);
  const start = (_: unknown, index: number) => startProcess({ way, path, tokenEndpoint, isChosen: index === 0 });
  const all = await Promise.all(Array.from({ length: processes }, start));
  const before = exchanges;
  const moment = performance.timeOrigin + performance.now() + 200 + 10 * processes;
  const finishes = all.map(async (child) => (await once(child, "message"))[0] as Finish);
  for (const child of all) child.send(moment);
  const finished = await Promise.all(finishes);
  await Promise.all(all.map((child) => child.exitCode ?? once(child, "exit")));
  if (new Set(finished.map(({ accessToken }) => accessToken)).size !== 1) throw new Error(`${way}: not one token`);
  const settle = Math.max(...finished.map(({ at }) => at)) - moment;
  return { settle, exchanges: exchanges - before, work: median(finished.map(({ work }) => work)) };
}

async function writeExpired(way: Way, path: string): Promise<void> {
  const session = { accessToken: "at-0", refreshToken: "rt-0", expiresAt: 0 };
  if (way !== "unexpired") return writeFileSync(path, JSON.stringify(session));
  const tokens = createTokenManager({ store: fileStore({ path }) });
  await tokens.signIn(session);
  await tokens.close();
}

async function startProcess(config: ContenderConfig): Promise<ChildProcess> {
  const env = { ...process.env, NODE_COMPILE_CACHE: join(directory, "cache") };
  const child = fork(join(import.meta.dirname, "contender.ts"), [JSON.stringify(config)], { env });
  await once(child, "message");
  return child;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
