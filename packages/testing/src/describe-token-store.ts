import { reasonAgainst, type StoreCase } from "./cases/case.ts";
import type { StoreHarness } from "./harness.ts";
import { Scene } from "./scene.ts";
import { storeCases } from "./store-cases.ts";

/** Of a test runner: what vitest, `node:test`, jest and mocha have in common. */
export interface Runner {
  /** Defines a group of tests. */
  describe(name: string, body: () => void): unknown;
  /** Defines a test. `timeout` is in milliseconds; mocha is told of it in another way. */
  it(name: string, body: (this: unknown, ...context: unknown[]) => Promise<void>, timeout?: number): unknown;
}

const TIMEOUT = 120_000; // ms

/**
 * Defines a test for everything that is asked of a store, in the caller's own test runner. What the store does not
 * promise, or the harness cannot do, is skipped, and printed with the reason. A test may take two minutes; most take
 * milliseconds.
 */
export function describeTokenStore({ describe, it }: Runner, harness: StoreHarness): void {
  describe("a token store", () => {
    for (const each of storeCases) {
      it(
        each.name,
        async function (...context) {
          (this as MochaContext | undefined)?.timeout?.(TIMEOUT);
          const reason = await runCase(each, harness);
          if (reason !== undefined) skip(each.name, reason, [...context, this]);
        },
        TIMEOUT,
      );
    }
  });
}

/**
 * Runs one case in a place of its own. Resolves to why it could not be run, where that is so.
 *
 * @throws ConformanceError where the store does not do what the contract says, and whatever else the store or the
 * harness throws
 */
export async function runCase(each: StoreCase, harness: StoreHarness): Promise<string | undefined> {
  const scene = await Scene.create(harness);
  let reason: string | undefined;
  try {
    reason = reasonAgainst(each.needs, await scene.open(), scene.backing);
    if (reason === undefined) await each.run(scene);
  } catch (error) {
    await scene[Symbol.asyncDispose]().catch(() => {}); // what the case found matters more
    throw error;
  }
  await scene[Symbol.asyncDispose]();
  return reason;
}

interface MochaContext {
  timeout?(milliseconds: number): void;
}

/** In the runner's own way, where it has one, and printed in any case. */
function skip(name: string, reason: string, contexts: readonly unknown[]): void {
  process.stdout.write(`skipped: ${name} (${reason})\n`);
  for (const context of contexts) {
    const { skip } = Object(context) as { skip?: unknown };
    if (typeof skip === "function") return void skip.call(context, reason);
  }
}
