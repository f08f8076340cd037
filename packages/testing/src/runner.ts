/** The functions of a test runner that the kit calls. vitest, `node:test`, jest and mocha all have them. */
export interface Runner {
  /** Defines a group of tests. */
  describe(name: string, body: () => void): unknown;
  /**
   * Defines a test. `timeout` is in milliseconds; mocha ignores it, so the test body sets it through mocha's context.
   */
  it(name: string, body: (this: unknown, ...context: unknown[]) => Promise<void>, timeout?: number): unknown;
}

interface Named {
  readonly name: string;
}

/** Defines a test for each case, with a timeout in milliseconds. `run` resolves to the reason for skipping the case, or to `undefined` if it ran. */
export function defineTests<Case extends Named>(
  { describe, it }: Runner,
  group: { readonly name: string; readonly cases: readonly Case[]; readonly timeout: number },
  run: (each: Case) => Promise<string | undefined>,
): void {
  describe(group.name, () => {
    for (const each of group.cases) {
      it(
        each.name,
        async function (...context) {
          (this as MochaContext | undefined)?.timeout?.(group.timeout);
          const reason = await run(each);
          if (reason !== undefined) skip(each.name, reason, [...context, this]);
        },
        group.timeout,
      );
    }
  });
}

interface MochaContext {
  timeout?(milliseconds: number): void;
}

/** Prints the skipped test and its reason, and skips it in the runner if the runner supports that. */
function skip(name: string, reason: string, contexts: readonly unknown[]): void {
  process.stdout.write(`skipped: ${name} (${reason})\n`);
  for (const context of contexts) {
    const { skip } = Object(context) as { skip?: unknown };
    if (typeof skip === "function") return void skip.call(context, reason);
  }
}
