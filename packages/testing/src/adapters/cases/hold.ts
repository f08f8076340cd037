import { setTimeout as sleep } from "node:timers/promises";
import { UnexpiredError } from "@unexpired/core";
import { type Clause, ConformanceError, hold } from "../../contract.ts";
import type { Outcome } from "../harness.ts";
import type { ResourceServer } from "../resource-server.ts";
import type { AdapterScene } from "../scene.ts";
import type { Session } from "../session.ts";

const BOUND = 5_000; // ms

/** Holds where the call was answered with this status. */
export const holdStatus = (outcome: Outcome, expected: number, clause: Clause): void =>
  hold(outcome.status === expected, clause, () => `The call ended with status ${outcome.status}, and not ${expected}.`);

/** Holds where that many exchanges were started. */
export const holdExchanges = ({ exchanges }: Session, expected: number, clause: Clause): void =>
  hold(exchanges === expected, clause, () => `The number of exchanges was ${exchanges}, and not ${expected}.`);

/** Holds where the server received requests with just these access tokens; `undefined` is a request without one. */
export function holdTokens(
  { received }: ResourceServer,
  expected: readonly (string | undefined)[],
  clause: Clause,
): void {
  holdSame(
    received.map(({ authorization }) => authorization ?? "none"),
    expected.map((token) => (token === undefined ? "none" : `Bearer ${token}`)),
    { clause, what: "The Authorization headers that the server saw" },
  );
}

/** Holds where two lists of words are the same. */
export function holdSame(
  seen: readonly string[],
  expected: readonly string[],
  { clause, what }: { readonly clause: Clause; readonly what: string },
): void {
  const isSame = seen.length === expected.length && seen.every((word, index) => word === expected[index]);
  hold(isSame, clause, () => `${what} were [${seen.join(", ")}], and not [${expected.join(", ")}].`);
}

/** What a call throws that must throw: the token manager's own error, where that is in it. */
export async function thrown({ harness }: AdapterScene, call: Promise<Outcome>, expected: Expected): Promise<unknown> {
  const error = await caught(call, expected);
  return harness.unwrapError?.(error) ?? error;
}

interface Expected {
  readonly clause: Clause;
  /** Why it must throw. */
  readonly what: string;
}

/** What a call throws that must throw, as the client throws it. */
export async function caught(call: Promise<Outcome>, { clause, what }: Expected): Promise<unknown> {
  let outcome: Outcome;
  try {
    outcome = await call;
  } catch (error) {
    if (error instanceof ConformanceError) throw error;
    return error;
  }
  throw new ConformanceError(clause, `${what}, and the call did not fail: it ended with status ${outcome.status}.`);
}

/** Holds where `error` is the token manager's, with this code. */
export function holdCode(error: unknown, code: UnexpiredError["code"], clause: Clause): void {
  const is = UnexpiredError.is(error) && error.code === code;
  if (is) return;
  const what = `The call threw ${nameOf(error)}, and not the token manager's error with code ${code}.`;
  throw new ConformanceError(clause, what, { cause: error });
}

/** A thrown value, as a message names it. */
export const nameOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);

/** Waits for what happens behind the call. */
export async function eventually(condition: () => boolean, clause: Clause, otherwise: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    hold(waited < BOUND, clause, otherwise);
    await sleep(5);
  }
}
