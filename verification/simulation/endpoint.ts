import { type RefreshFunction, TokenEndpointError, type TokenResponse, type TokenSet } from "@unexpired/core";
import { EXCHANGE_DEADLINE } from "./constants.ts";
import type { HandOver } from "./exchange-invariants.ts";
import { REQUEST_FAULTS, type RequestFault } from "./faults.ts";
import type { SimulatedProcess } from "./process.ts";
import type { RefreshOutcome } from "./server.ts";
import { idTokenOf, readToken, shortRefresh } from "./tokens.ts";
import type { World } from "./world.ts";

/** For how many milliseconds a process is stopped while its response arrives: past its deadline, its lease, its hold. */
const STOPS = [3_000, 45_000, 660_000];

const DELAYS: Readonly<Record<string, number>> = { "slow response": 1_500, "response after the deadline": 5_000 };

const BUSY = "token request is already being processed";

interface Call {
  readonly process: SimulatedProcess;
  readonly refreshToken: string;
  readonly fault: RequestFault | undefined;
  readonly handOver: HandOver;
  readonly resolve: (response: TokenResponse) => void;
  readonly reject: (error: unknown) => void;
}

/** The refresh function of one process: three events (sending, arrival, response), each with its own faults. */
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

/** I1, I16: a request that was handed over is sent only when its process, or its machine, is awake again. */
function sleep(world: World, process: SimulatedProcess, fault: RequestFault | undefined): void {
  if (fault === "suspended before sending") world.suspend(process, 15_000);
  if (fault === "machine asleep before sending") world.sleep(process.machine, 15_000);
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
      const delay = fault === "request delayed past every deadline" ? 90_000 : world.latency();
      const at = world.scheduler.now + delay;
      world.scheduler.add({ author: process.name, label: `${name} arrives`, at, run: arrive });
    },
    world.latency(),
  );
}

/** The faults with which the server never processes the request. */
const NOT_PROCESSED: readonly (RequestFault | undefined)[] = [
  "500",
  "504 before the server",
  "429",
  "invalid_client",
  "HTML response",
  "refusal without a reason",
  "interaction required",
  "already being processed",
];

function onArrival(world: World, call: Call): void {
  const { fault, refreshToken } = call;
  if (fault === "invalid_grant") world.server.revoke(refreshToken);
  const omitsRefreshToken = fault === "no refresh_token";
  const outcome = NOT_PROCESSED.includes(fault) ? undefined : world.server.refresh(refreshToken, { omitsRefreshToken });
  if (outcome?.kind === "tokens")
    world.invariants.callers.onIssued(outcome.response.access_token, {
      isExpiryKnown: fault !== "no expires_in",
    });
  if (fault === "no response") return;
  const delay =
    fault === "stopped in mid-exchange" ? stop(world, call.process) : (DELAYS[fault ?? ""] ?? world.latency());
  call.handOver.respondsAt = world.scheduler.now + delay;
  const name = shortRefresh(readToken(refreshToken));
  call.process.later(`response to ${name}`, () => onResponse(world, call, outcome), delay);
}

/** Stops the process shortly before its response arrives. Returns when that is, in milliseconds from now. */
function stop(world: World, process: SimulatedProcess): number {
  const [startsIn, span] = [world.random.pick("fault", [0, EXCHANGE_DEADLINE - 50]), world.random.pick("fault", STOPS)];
  const at = world.scheduler.now + startsIn;
  world.scheduler.add({ author: process.name, label: "is stopped", at, run: () => world.suspend(process, span) });
  return startsIn + 1;
}

function onResponse(world: World, call: Call, outcome: RefreshOutcome | undefined): void {
  const { fault, handOver, reject } = call;
  if (handOver.isSettled && world.options.aborts) return; // the client no longer reads it
  if (fault === "store out of order at the response") world.breakStore();
  if (fault === "response lost" || fault?.startsWith("504")) reject(lostResponse(call));
  else if (fault === "invalid_client after the server" && outcome?.kind === "tokens") refuseClient(world, call);
  else if (!outcome) settleUnprocessed(world, call);
  else if (outcome.kind === "invalid_grant") refuse(world, call);
  else grant(world, call, outcome);
}

function grant(
  world: World,
  { fault, handOver, resolve, reject }: Call,
  outcome: RefreshOutcome & { kind: "tokens" },
): void {
  if (!outcome.isRotated) handOver.isHarmless = true;
  const { exchanges, callers } = world.invariants;
  const { response, token } = outcome;
  if (fault === "HTML response after the server")
    reject(new TokenEndpointError({ status: 200, body: "other", sent: true }));
  else if (fault === "tokens of another account" && hasIdToken(world)) {
    exchanges.onVerdict(handOver);
    callers.verdicts.onForeign(response.access_token);
    resolve({ ...response, id_token: idTokenOf(`not ${token.account}`) });
  } else {
    exchanges.onTokens(handOver, outcome);
    resolve(without(OMITTED[fault ?? ""], response));
  }
}

/** Whether the session's ID token tells whose it is. A document holds none. */
const hasIdToken = ({ invariants, documents }: World): boolean =>
  !documents || invariants.records.current?.tokens?.idToken !== undefined;

/** The member that a response lacks. */
const OMITTED: Readonly<Record<string, keyof TokenResponse>> = {
  "no expires_in": "expires_in",
  "no access_token": "access_token",
};

const without = (name: keyof TokenResponse | undefined, response: TokenResponse): TokenResponse =>
  Object.fromEntries(Object.entries(response).filter(([key]) => key !== name)) as unknown as TokenResponse;

const lostResponse = ({ fault, refreshToken }: Call): Error =>
  fault === "response lost"
    ? new Error(`ECONNRESET after refresh_token=${refreshToken}`)
    : new TokenEndpointError({ status: 504, sent: true, description: `gateway, ${refreshToken}` });

/** Refuses a refresh token that is not valid, or no longer: with a reason, or like servers that never give one. */
function refuse({ invariants, options }: World, { handOver, reject }: Call): void {
  invariants.exchanges.onVerdict(handOver);
  handOver.isHarmless = true;
  const reason = options.givesReasons ? ({ error: "invalid_grant" } as const) : ({ body: "empty" } as const);
  reject(new TokenEndpointError({ ...reason, status: 400, sent: true }));
}

/** Refuses the client; some servers do so after they have consumed the refresh token. */
function refuseClient({ invariants }: World, { handOver, reject }: Call): void {
  handOver.isHarmless = true;
  invariants.callers.verdicts.onRefusedClient(handOver.digest);
  reject(new TokenEndpointError({ error: "invalid_client", status: 401, sent: true }));
}

function settleUnprocessed(world: World, call: Call): void {
  const { invariants } = world;
  const { fault, handOver, refreshToken, resolve, reject } = call;
  handOver.isHarmless = true;
  switch (fault) {
    case "HTML response":
      resolve(`<html>${refreshToken}</html>` as unknown as TokenResponse);
      return;
    case "refusal without a reason":
      if (invariants.records.isSuspicious) invariants.exchanges.onVerdict(handOver);
      reject(new TokenEndpointError({ status: 400, body: "empty", sent: true }));
      return;
    case "interaction required":
      invariants.exchanges.onVerdict(handOver);
      reject(new TokenEndpointError({ error: "interaction_required", status: 400, sent: true }));
      return;
    case "already being processed":
      reject(new TokenEndpointError({ error: "invalid_grant", description: BUSY, status: 400, sent: true }));
      return;
    case "429":
      reject(new TokenEndpointError({ status: 429, retryAfter: 7_000, sent: true }));
      return;
    case "invalid_client":
      refuseClient(world, call);
      return;
    default:
      reject(new TokenEndpointError({ status: 500, description: `oops: ${refreshToken}`, sent: true }));
      return;
  }
}
