import { type RefreshFunction, TokenEndpointError, type TokenResponse, type TokenSet } from "@unexpired/core";
import { EXCHANGE_DEADLINE } from "./constants.ts";
import type { HandOver } from "./exchange-invariants.ts";
import { REQUEST_FAULTS, type RequestFault } from "./faults.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Answer } from "./server.ts";
import { readToken, shortRefresh } from "./tokens.ts";
import type { World } from "./world.ts";

interface Call {
  readonly process: SimulatedProcess;
  readonly refreshToken: string;
  readonly fault: RequestFault | undefined;
  readonly handOver: HandOver;
  readonly resolve: (response: TokenResponse) => void;
  readonly reject: (error: unknown) => void;
}

/** The refresh function of one process: three events (sent, arrived, answered), and what can go wrong at each. */
export function refreshOf(world: World, process: SimulatedProcess): RefreshFunction {
  const refresh = (current: TokenSet, context: { signal: AbortSignal; attemptId: string }) => {
    const refreshToken = current.refreshToken ?? "none";
    const handOver = world.invariants.exchanges.onHandOver(process, current, context.attemptId);
    const fault = world.faults.draw(REQUEST_FAULTS, 2);
    return new Promise<TokenResponse>((settle, fail) => {
      const resolve = (response: TokenResponse) => {
        handOver.isSettled = true;
        settle(response);
      };
      const reject = (error: unknown) => {
        handOver.isSettled = true;
        fail(error);
      };
      context.signal.addEventListener("abort", () => {
        world.invariants.exchanges.onAbort(handOver);
        if (world.options.aborts) reject(context.signal.reason);
      });
      sleep(world, process, fault);
      send(world, { process, refreshToken, fault, handOver, resolve, reject });
    });
  };
  const revoke = async (tokens: TokenSet) => {
    if (!tokens.refreshToken) return;
    const token = tokens.refreshToken;
    await process.call(`revoke ${shortRefresh(readToken(token))}`, () => world.server.revoke(token), world.latency());
  };
  return Object.assign(refresh, { timeout: EXCHANGE_DEADLINE, revoke });
}

/** I1, I16: what was handed over leaves only when its process, or its machine, is awake again. */
function sleep(world: World, process: SimulatedProcess, fault: RequestFault | undefined): void {
  if (fault === "suspended before it is sent") world.suspend(process, 15_000);
  if (fault === "machine sleeps before it is sent") world.sleep(process.machine, 15_000);
}

function send(world: World, call: Call): void {
  const { process, fault, refreshToken } = call;
  const name = shortRefresh(readToken(refreshToken));
  const label = `send ${name}${fault ? ` (${fault})` : ""}`;
  process.later(
    label,
    () => {
      if (fault === "not sent") {
        call.handOver.isHarmless = true;
        return call.reject(new TokenEndpointError({ sent: false, cause: new Error(`refused: ${refreshToken}`) }));
      }
      const arrive = () => onArrival(world, call);
      if (fault === "request lost") return;
      const delay = fault === "request delayed past everything" ? 90_000 : world.latency();
      const at = world.scheduler.now + delay;
      world.scheduler.add({ author: process.name, label: `${name} arrives`, at, run: arrive });
    },
    world.latency(),
  );
}

const UNTOUCHED: readonly (RequestFault | undefined)[] = [
  "500",
  "504 before the server",
  "429",
  "invalid_client",
  "HTML",
];

function onArrival(world: World, call: Call): void {
  const { fault, refreshToken } = call;
  if (fault === "invalid_grant") world.server.revoke(refreshToken);
  const omitsRefreshToken = fault === "no refresh_token";
  const answer = UNTOUCHED.includes(fault) ? undefined : world.server.refresh(refreshToken, { omitsRefreshToken });
  if (answer?.kind === "tokens") world.invariants.callers.onIssued(answer.response.access_token);
  if (fault === "no answer") return;
  const delay = fault === "slow answer" ? 1_500 : fault === "answer after the deadline" ? 5_000 : world.latency();
  call.process.later(`answer to ${shortRefresh(readToken(refreshToken))}`, () => onAnswer(world, call, answer), delay);
}

function onAnswer(world: World, call: Call, answer: Answer | undefined): void {
  const { fault, handOver, resolve, reject } = call;
  if (handOver.isSettled && world.options.aborts) return; // nobody reads it
  if (fault === "answer lost" || fault?.startsWith("504")) {
    reject(lostAnswer(call));
    return;
  }
  if (!answer) {
    handOver.isHarmless = true;
    refuse(call);
    return;
  }
  if (answer.kind === "invalid_grant") {
    world.invariants.exchanges.onVerdict(handOver);
    reject(new TokenEndpointError({ error: "invalid_grant", status: 400, sent: true }));
    return;
  }
  if (!answer.isRotated) handOver.isHarmless = true;
  world.invariants.exchanges.onTokens(handOver, answer);
  const { expires_in, ...rest } = answer.response;
  resolve(fault === "no expires_in" ? rest : { ...rest, expires_in });
}

const lostAnswer = ({ fault, refreshToken }: Call): Error =>
  fault === "answer lost"
    ? new Error(`ECONNRESET after refresh_token=${refreshToken}`)
    : new TokenEndpointError({ status: 504, sent: true, description: `gateway, ${refreshToken}` });

function refuse({ fault, refreshToken, resolve, reject }: Call): void {
  switch (fault) {
    case "HTML":
      resolve(`<html>${refreshToken}</html>` as unknown as TokenResponse);
      return;
    case "429":
      reject(new TokenEndpointError({ status: 429, retryAfter: 7_000, sent: true }));
      return;
    case "invalid_client":
      reject(new TokenEndpointError({ error: "invalid_client", status: 401, sent: true }));
      return;
    default:
      reject(new TokenEndpointError({ status: 500, description: `oops: ${refreshToken}`, sent: true }));
      return;
  }
}
