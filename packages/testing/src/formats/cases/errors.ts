import type { FormattedSession } from "@unexpired/core";
import { expectThat } from "../../contract.ts";
import { everyRendering } from "../../stores/cases/secrets.ts";
import type { FormatHarness } from "../harness.ts";
import { secretsOf, sessionsOf } from "../sessions.ts";
import { expectThrow, type FormatCase, unreadableOf } from "./case.ts";

/** Calls `check` with each unreadable text of the harness, and its description. */
function forEachText(
  harness: FormatHarness,
  check: (text: string, name: string, session: FormattedSession) => void,
): void {
  const [session] = sessionsOf(harness);
  for (const { name, text } of unreadableOf(harness)) check(text(session), name, session);
}

const thrown: FormatCase = {
  name: "throws if a text is unreadable",
  needs: ["unreadable"],
  run(harness) {
    forEachText(harness, (text, name) => {
      expectThrow("invalid", `parse() of ${name}`, () => harness.format.parse(text));
    });
  },
};

const notOverwritten: FormatCase = {
  name: "prints nothing over a text that is unreadable",
  needs: ["unreadable"],
  run(harness) {
    forEachText(harness, (text, name, session) => {
      expectThrow("invalid", `print(session, …) over ${name}`, () => harness.format.print(session, text));
      expectThrow("invalid", `print(undefined, …) over ${name}`, () => harness.format.print(undefined, text));
    });
  },
};

const hidden: FormatCase = {
  name: "hides tokens in its errors",
  needs: ["unreadable"],
  run(harness) {
    const [, other] = sessionsOf(harness);
    forEachText(harness, (text, name, session) => {
      const calls = { parse: () => harness.format.parse(text), print: () => harness.format.print(other, text) };
      for (const [call, run] of Object.entries(calls)) {
        const shown = everyRendering(expectThrow("invalid", `${call}() of ${name}`, run));
        const secrets = [session, other].flatMap((each) => secretsOf(each, harness));
        const isShown = secrets.some((secret) => shown.includes(secret));
        expectThat(!isShown, "hide", `A token appears in the error of ${call}() about ${name}.`);
      }
    });
  },
};

export const errorCases: readonly FormatCase[] = [thrown, notOverwritten, hidden];
