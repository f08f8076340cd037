import { expectThat } from "../../contract.ts";
import { shown } from "../../stores/cases/case.ts";
import type { FormatHarness } from "../harness.ts";
import { expectSession, secretsOf, sessionsOf } from "../sessions.ts";
import { documentsOf, expectKept, expectResult, type FormatCase, parse, print } from "./case.ts";

/** Signs out in a document. Returns its text, or `undefined` if it is to be deleted. */
const signOut = ({ format }: FormatHarness, { name, found }: { readonly name: string; readonly found: string }) =>
  expectResult("clear", `print(undefined, …) of ${name}`, () => format.print(undefined, found));

const cleared: FormatCase = {
  name: "removes the session and its tokens at a sign-out",
  needs: [],
  run(harness) {
    const [session] = sessionsOf(harness);
    for (const { name, text } of documentsOf(harness, session)) {
      const left = signOut(harness, { name, found: text(session) });
      const found = left === undefined ? undefined : parse(harness, left, `parse() of ${name} after a sign-out`);
      expectThat(found === undefined, "clear", () => `After a sign-out, parse() of ${name} returned ${shown(found)}.`);
      const isLeft = secretsOf(session, harness).some((secret) => left?.includes(secret));
      expectThat(!isLeft, "clear", `After a sign-out, ${name} still contains a token.`);
    }
  },
};

const kept: FormatCase = {
  name: "leaves everything else at a sign-out",
  needs: ["keeps"],
  run(harness) {
    const [session] = sessionsOf(harness);
    for (const document of harness.documents) {
      const { name, text } = document;
      expectKept(document, text(session), "Before the test");
      expectKept(document, signOut(harness, { name, found: text(session) }), "After a sign-out");
    }
  },
};

const again: FormatCase = {
  name: "prints a session after a sign-out",
  needs: [],
  run(harness) {
    const [first, second] = sessionsOf(harness);
    for (const document of harness.documents) {
      const { name, text } = document;
      const left = signOut(harness, { name, found: text(first) });
      const printed = print(harness, { session: second, found: left }, `print() into ${name} after a sign-out`);
      const what = `parse() of ${name} after a sign-out and a sign-in`;
      expectSession(harness, parse(harness, printed, what), { expected: second, clause: "print", what });
      expectKept(document, printed, "After a sign-out and a sign-in");
    }
  },
};

const nothing: FormatCase = {
  name: "has nothing to remove where there is no session",
  needs: [],
  run(harness) {
    const { format } = harness;
    const absent = expectResult("clear", "print(undefined, undefined)", () => format.print(undefined, undefined));
    expectThat(
      absent === undefined,
      "clear",
      () => `print(undefined, undefined) returned ${shown(absent)} instead of undefined.`,
    );
    const [session] = sessionsOf(harness);
    for (const { name, text } of harness.documents) {
      const left = signOut(harness, { name, found: text(session) });
      const twice = left === undefined ? undefined : signOut(harness, { name, found: left });
      expectThat(twice === left, "unchanged", () => `A second sign-out changed ${name} again.`);
    }
  },
};

export const signOutCases: readonly FormatCase[] = [cleared, kept, again, nothing];
