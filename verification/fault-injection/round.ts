import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Child } from "./child.ts";
import { type FaultPoint, fine, hasStop } from "./expectations.ts";
import { Foreign, type ForeignReport } from "./foreign.ts";
import { violations } from "./invariants.ts";
import type { Order, TrapConfig, WorkerConfig } from "./messages.ts";
import { between } from "./random.ts";
import { REPAIRS } from "./repairs.ts";
import { collectTokens, PROFILES, type Scene, setScene } from "./scene.ts";
import { User } from "./user.ts";

const READY = 60_000;
const BOUND = 30_000;
const BOUND_AFTER_DEATH = 15_000; // half the lease, which the others do not wait for
const LATER = 1_500;
const STOP = 3_000; // longer than the lock takes to become stale
const TIMEOUT = 20_000;
const SHORT_TIMEOUT = 4_000; // of requests and saves, if a round lasts as long as one, or as a lease
const END_OF_STOP: Readonly<Record<string, NodeJS.Signals>> = { "stop-and-kill": "SIGKILL" };
const STOP_PAST_LEASE = 25_000; // the lease is ten seconds longer than twice the short timeout
const beginning = ({ prompts }: FaultPoint): Order => ({ do: prompts === undefined ? "call" : "sign-in-with" });

/** The facts of a finished round, by which it is judged. */
export interface Facts {
  readonly point: FaultPoint;
  readonly scene: Scene;
  readonly victim: Child;
  readonly others: readonly Child[];
  /** A process that started at the end and, if possible, refreshed once more. */
  readonly next: Child;
  /** The outcome when that process signed in again; `undefined` if it did not have to. */
  readonly signInAgain: string | undefined;
  /** The report of the program that owns the document, if the session is in one. */
  readonly foreign: ForeignReport | undefined;
  /** The digests of the refresh tokens that the server issued to the user at prompts. */
  readonly granted: readonly string[];
}

export interface RoundResult {
  readonly point: FaultPoint;
  readonly exchanges: number;
  readonly takeovers: number;
  readonly typedErrors: number;
  readonly violations: readonly string[];
  /** The messages of all processes, for debugging. */
  readonly log: string;
  /** Whether a process did not reach its fault point. */
  readonly isMissed: boolean;
}

/** Injects a fault into one of several processes and checks the outcomes of all. */
export async function playRound(point: FaultPoint, repetition: number, random: () => number): Promise<RoundResult> {
  const count = between(random, 4, 8);
  const latency = between(random, 20, 60);
  // If the process with the fault starts together with the others, it may find the work done and miss its fault.
  const { second, closes, kind, isRefused } = point;
  const isFirst =
    second !== undefined || closes !== undefined || kind === "files" || isRefused === true || repetition === 0;
  const cue = !isFirst && random() < 0.3 ? "ready" : cueOf(point, random);
  await using scene = await setScene({
    latency,
    accessTokenSeconds: isRevoking(point) ? 15 : 300,
    profile: point.profile ?? "generic",
    isSmallDisk: point.fault === "fill-disk",
    isWithoutRights: isSuperuser && point.fault.startsWith("forbid-"),
    isDocument: point.document !== undefined,
    isSignedOut: point.prompts !== undefined,
  });
  const facts = await play(point, scene, { cue, count });
  return judge(facts.victim.isHit ? facts : { ...facts, point: withoutFault(point) });
}

/** Returns the expectations if the process with the fault found its work done. */
function withoutFault(point: FaultPoint): FaultPoint {
  if (point.prompts === undefined) return { ...point, ...fine };
  return point.isRefused ? { ...point, victim: point.others, prompts: 1 } : { ...point, ...fine, prompts: 1 };
}

/** Whether a process may end up with new tokens of a revoked grant. They then have a short life, to be retried soon. */
const isRevoking = (point: FaultPoint): boolean => hasStop(point) && point.revoked > 0;

const isSuperuser = process.getuid?.() === 0;

/** When the others begin: after the fault, when the request is sent or the user is asked, or all at once. */
type Cue = "hit" | "presented" | "ready";

function cueOf({ at, kind, isRefused }: FaultPoint, random: () => number): Cue {
  if (kind === "lock") return "ready";
  if (isRefused) return "presented"; // the others have to wait before the user refuses
  return /^(look|claim|sign-in-claim)/.test(at) || random() < 0.3 ? "hit" : "presented";
}

interface Plan {
  readonly cue: Cue;
  readonly count: number;
}

async function play(point: FaultPoint, scene: Scene, { cue, count }: Plan): Promise<Facts> {
  using foreign = point.document && new Foreign(scene.sessionPath);
  const timeout = hasStop(point) || point.closes === "lost" ? SHORT_TIMEOUT : TIMEOUT;
  const start = (trap?: TrapConfig) => new Child({ ...configOf(point, scene), timeout, trap });
  const victim = start({ point: point.at, fault: point.fault });
  const others = Array.from({ length: count - 1 }, () => start(secondTrap(point, scene)));
  const all = [victim, ...others];
  await Promise.all(all.map((child) => child.until(() => child.lines.length > 0, READY)));
  const user = new User(scene);
  user.attend(all, point);
  const settling = settle(victim, point);
  await victim.until(() => victim.isHit || cue === "ready" || (cue === "presented" && victim.isPresenting), BOUND);
  const bound = point.kind === "kill" && !hasStop(point) ? BOUND_AFTER_DEATH : BOUND;
  const calls = others.map((child) => child.ask(beginning(point), point.second?.fault === "stop" ? 2 * BOUND : bound));
  if (point.isRepairedFirst) await repair(point, scene, victim);
  const isHeldUp = (child: Child) => child.isHit || child.isWaitingFor(victim) || child.outcomes.length > 0;
  await Promise.all(others.map((child) => child.until(() => isHeldUp(child), bound)));
  const stopping = [
    ...(point.fault.startsWith("stop") ? [victim] : []),
    ...(point.second?.fault === "stop" ? others : []),
  ];
  await continueStopped(stopping, { point, scene }, Promise.all([settling, ...calls]));
  if (!point.isRepairedFirst) await repair(point, scene, victim);
  const report = await foreign?.end();
  const next = new Child(configOf(point, scene));
  user.attend([next]);
  const signInAgain = await comeLater(next, point, scene);
  collectTokens(scene);
  await Promise.all([...all, next].map((child) => child.end()));
  return { point, scene, victim, others, next, signInAgain, foreign: report, granted: user.granted };
}

async function settle(victim: Child, point: FaultPoint): Promise<void> {
  await victim.ask(beginning(point), 2 * BOUND);
  if (point.closes) await victim.ask({ do: "close" }, BOUND);
}

/** Continues or ends processes that stop themselves, now or later, some time after each stop, until `settled`. */
async function continueStopped(
  children: readonly Child[],
  { point, scene }: Pick<Facts, "point" | "scene">,
  settled: Promise<unknown>,
): Promise<void> {
  // One that has announced its stop, but is continued before it stops, would stay stopped.
  await Promise.all(children.filter((child) => child.isHit).map((child) => child.stopped()));
  let isSettled = false;
  const settling = settled.then(() => {
    isSettled = true;
  });
  while (!isSettled) {
    const stopped = children.filter((child) => child.isStopped);
    if (stopped.length > 0) await sleep(point.fault === "stop-past-lease" ? STOP_PAST_LEASE : STOP);
    collectTokens(scene);
    for (const child of stopped) child.signal(END_OF_STOP[point.fault] ?? "SIGCONT");
    await Promise.race([settling, sleep(LATER)]);
  }
}

const secondTrap = ({ second }: FaultPoint, { root }: Scene): TrapConfig | undefined =>
  second && { point: second.at, fault: second.fault, once: join(root, "second-fault") };

async function repair(point: FaultPoint, { sessionPath }: Scene, victim: Child): Promise<void> {
  if (!point.repair) return;
  await victim.until(() => victim.isHit, BOUND);
  // On a slow machine, its write could otherwise come after the repair.
  if (!point.victim.includes("200")) await victim.until(() => victim.outcomes.length > 0, BOUND);
  await sleep(LATER);
  if (victim.isHit) REPAIRS[point.repair](sessionPath, victim.pid);
  await sleep(LATER); // a failed save is retried every second
}

/** Calls, and refreshes once more if that succeeds. If the session has ended, signs in to a new one. */
async function comeLater(next: Child, point: FaultPoint, { server, tokens }: Scene): Promise<string | undefined> {
  const outcome = await next.ask(beginning(point), BOUND);
  if (outcome === "401" && isRevoking(point)) {
    await sleep(15_000 / 5); // after that, a 401 leads to an exchange again
    await next.ask(beginning(point), BOUND);
  }
  if (outcome === "200") await next.ask({ do: "refresh" }, BOUND);
  if (!next.outcomes.at(-1)?.startsWith("SIGN_IN_REQUIRED")) return undefined;
  const refreshToken = await server.mintRefreshToken();
  tokens.add(refreshToken);
  return next.ask({ do: "sign-in", refreshToken }, BOUND);
}

function configOf(point: FaultPoint, { server, api, sessionPath, isWithoutRights }: Scene): WorkerConfig {
  return {
    sessionPath,
    tokenEndpoint: server.tokenEndpoint,
    clientId: server.clientId,
    api: api.origin,
    timeout: TIMEOUT,
    provider: PROFILES[point.profile ?? "generic"],
    isWithoutRights,
    everyoneWinsTheLock: point.kind === "lock",
    document: point.document,
  };
}

function judge(facts: Facts): RoundResult {
  const { point, victim, others, next, scene } = facts;
  const all = [victim, ...others, next];
  const lines = all.flatMap((child) => child.lines);
  return {
    point,
    isMissed: !victim.isHit || (point.second !== undefined && !others.some((child) => child.isHit)),
    exchanges: scene.server.tokenRequests,
    takeovers: lines.filter((line) => line.type === "exchange" && line.afterLoss).length,
    typedErrors: all.flatMap((child) => child.outcomes).filter((outcome) => outcome !== "200").length,
    violations: violations(facts),
    log: all.map((child, index) => `process ${index + 1}\n${child.log}`).join("\n"),
  };
}
