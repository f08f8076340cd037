import { setTimeout as sleep } from "node:timers/promises";
import { UnexpiredError } from "@unexpired/core";
import { type Clause, ConformanceError, expectThat, throwViolation } from "../../contract.ts";
import type { Outcome } from "../harness.ts";
import type { ResourceServer } from "../resource-server.ts";
import type { AdapterScene } from "../scene.ts";
import type { Session } from "../session.ts";

const TIMEOUT = 5_000; // ms

/** Expects the call to end with this status. */
export const expectStatus = (outcome: Outcome, expected: number, clause: Clause): void =>
  expectThat(
    outcome.status === expected,
    clause,
    () => `The call ended with status ${outcome.status} instead of ${expected}.`,
  );

/** Expects this number of exchanges to have been started. */
export const expectExchanges = ({ exchanges }: Session, expected: number, clause: Clause): void =>
  expectThat(exchanges === expected, clause, () => `The number of exchanges was ${exchanges} instead of ${expected}.`);

/**
 * Expects the server to have received requests with exactly these access tokens; `undefined` is a request without one.
 */
export function expectTokens(
  { received }: ResourceServer,
  expected: readonly (string | undefined)[],
  clause: Clause,
): void {
  expectSame(
    received.map(({ authorization }) => authorization ?? "none"),
    expected.map((token) => (token === undefined ? "none" : `Bearer ${token}`)),
    { clause, what: "The Authorization headers that the server received" },
  );
}

/** Expects two lists of strings to be equal. */
export function expectSame(
  seen: readonly string[],
  expected: readonly string[],
  { clause, what }: { readonly clause: Clause; readonly what: string },
): void {
  const isSame = seen.length === expected.length && seen.every((word, index) => word === expected[index]);
  expectThat(isSame, clause, () => `${what} were [${seen.join(", ")}] instead of [${expected.join(", ")}].`);
}

/** Expects a call to fail. Resolves to the token manager's error, unwrapped by the harness if it can. */
export async function expectManagerError(
  { harness }: AdapterScene,
  call: Promise<Outcome>,
  expected: Expected,
): Promise<unknown> {
  const error = await expectFailure(call, expected);
  return harness.unwrapError?.(error) ?? error;
}

interface Expected {
  readonly clause: Clause;
  /** The reason why the call must fail. */
  readonly what: string;
}

/** Expects a call to fail. Resolves to the client's error. */
export async function expectFailure(call: Promise<Outcome>, { clause, what }: Expected): Promise<unknown> {
  let outcome: Outcome;
  try {
    outcome = await call;
  } catch (error) {
    throwViolation(error);
    return error;
  }
  throw new ConformanceError(clause, `${what}, but the call did not fail: it ended with status ${outcome.status}.`);
}

/** Expects `error` to be the token manager's error with this code. */
export function expectCode(error: unknown, code: UnexpiredError["code"], clause: Clause): void {
  const is = UnexpiredError.is(error) && error.code === code;
  if (is) return;
  const what = `The call threw ${describeError(error)} instead of the token manager's error with code ${code}.`;
  throw new ConformanceError(clause, what, { cause: error });
}

/** Formats a thrown value for a message. */
export const describeError = (error: unknown): string =>
  "message" in Object(error) ? `${Object(error).name}: ${Object(error).message}` : String(error);

/** Waits for an effect that may follow after the call has ended. */
export async function eventually(condition: () => boolean, clause: Clause, otherwise: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    expectThat(waited < TIMEOUT, clause, otherwise);
    await sleep(5);
  }
}
