import type { FormattedSession } from "@unexpired/core";
import { expectThat } from "../../contract.ts";
import type { FormatHarness } from "../harness.ts";
import { complete, expectSession, sessionsOf } from "../sessions.ts";
import { documentsOf, expectResult, type FormatCase } from "./case.ts";
import { withWatchedClock } from "./watched-clock.ts";

/** Calls `check` with the first session of the harness and each document. */
function forEachDocument(
  harness: FormatHarness,
  check: (text: string, name: string, session: FormattedSession) => void,
): void {
  const [session] = sessionsOf(harness);
  for (const { name, text } of documentsOf(harness, session)) check(text(session), name, session);
}

const synchronous: FormatCase = {
  name: "is synchronous",
  needs: [],
  run(harness) {
    const { format } = harness;
    forEachDocument(harness, (text, name, session) => {
      for (const [call, result] of [
        ["parse", format.parse(text)] as const,
        ["print", format.print(session, text)] as const,
      ]) {
        const isPromise = typeof (Object(result) as { then?: unknown }).then === "function";
        expectThat(!isPromise, "pure", `${call}() of ${name} returned a promise.`);
      }
    });
  },
};

const repeatable: FormatCase = {
  name: "returns the same for the same arguments, whatever it did before",
  needs: [],
  run(harness) {
    const { format } = harness;
    const [, other] = sessionsOf(harness);
    forEachDocument(harness, (text, name, session) => {
      const run = () =>
        JSON.stringify([snapshot(format.parse(text)), format.print(other, text), format.print(undefined, text)]);
      const first = run();
      format.print(session, undefined);
      const second = run();
      expectThat(first === second, "pure", `The same calls with ${name} had other results the second time.`);
    });
  },
};

const snapshot = (parsed: ReturnType<FormatHarness["format"]["parse"]>) =>
  parsed && { ...complete(parsed), tokens: { ...parsed.tokens } };

const frozen: FormatCase = {
  name: "leaves its arguments alone",
  needs: [],
  run(harness) {
    forEachDocument(harness, (text, name, session) => {
      const { tokens, ...rest } = structuredClone(session);
      const given = Object.freeze({ ...rest, tokens: Object.freeze({ ...tokens, extra: Object.freeze({}) }) });
      expectResult("pure", `print() of a frozen session into ${name}`, () => harness.format.print(given, text));
      const copy = structuredClone(session);
      harness.format.print(copy, text);
      const what = `The session that was passed to print() into ${name}`;
      expectSession(harness, copy, { expected: session, clause: "pure", what });
    });
  },
};

const timeless: FormatCase = {
  name: "reads no clock",
  needs: [],
  run(harness) {
    forEachDocument(harness, (text, name, session) => {
      const isRead = withWatchedClock(() => {
        harness.format.parse(text);
        harness.format.print(session, text);
        harness.format.print(session, undefined);
      });
      expectThat(!isRead, "pure", `parse() or print() of ${name} read the clock.`);
    });
  },
};

export const purityCases: readonly FormatCase[] = [synchronous, repeatable, frozen, timeless];
