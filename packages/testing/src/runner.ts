/** Of a test runner: what vitest, `node:test`, jest and mocha have in common. */
export interface Runner {
  /** Defines a group of tests. */
  describe(name: string, body: () => void): unknown;
  /** Defines a test. `timeout` is in milliseconds; mocha is told of it in another way. */
  it(name: string, body: (this: unknown, ...context: unknown[]) => Promise<void>, timeout?: number): unknown;
}

const TIMEOUT = 120_000; // ms

/** What is asked, by its name. */
interface Named {
  readonly name: string;
}

/** Defines a test for each case. `run` resolves to why a case could not be run, where that is so. */
export function defineTests<Case extends Named>(
  { describe, it }: Runner,
  group: { readonly name: string; readonly cases: readonly Case[] },
  run: (each: Case) => Promise<string | undefined>,
): void {
  describe(group.name, () => {
    for (const each of group.cases) {
      it(
        each.name,
        async function (...context) {
          (this as MochaContext | undefined)?.timeout?.(TIMEOUT);
          const reason = await run(each);
          if (reason !== undefined) skip(each.name, reason, [...context, this]);
        },
        TIMEOUT,
      );
    }
  });
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
