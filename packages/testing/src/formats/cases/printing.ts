import { expectThat } from "../../contract.ts";
import { shown } from "../../stores/cases/case.ts";
import { complete, createSession, expectSession, optionalFields, sessionsOf, without } from "../sessions.ts";
import { differenceOf, documentsOf, expectResult, type FormatCase, parse, print } from "./case.ts";

const empty: FormatCase = {
  name: "finds no session in an empty document",
  needs: [],
  run(harness) {
    const found = parse(harness, "", 'parse("")');
    expectThat(found === undefined, "parse", () => `parse("") returned ${shown(found)} instead of undefined.`);
  },
};

const read: FormatCase = {
  name: "reads the session of each document",
  needs: [],
  run(harness) {
    for (const session of sessionsOf(harness)) {
      for (const { name, text } of harness.documents) {
        const what = `parse() of ${name}`;
        expectSession(harness, parse(harness, text(session), what), { expected: session, clause: "parse", what });
      }
    }
  },
};

const unchanged: FormatCase = {
  name: "prints a session that it has parsed without changing a byte",
  needs: [],
  run(harness) {
    const [session] = sessionsOf(harness);
    for (const { name, text } of documentsOf(harness, session)) {
      const found = text(session);
      const parsed = parse(harness, found, `parse() of ${name}`);
      const printed = parsed && print(harness, { session: complete(parsed), found }, `print() into ${name}`);
      expectThat(
        printed === found,
        "unchanged",
        () => `Printing the session that was parsed from ${name} wrote ${differenceOf(found, printed ?? "")}.`,
      );
    }
  },
};

const created: FormatCase = {
  name: "prints a session where there was no document, or an empty one",
  needs: [],
  run(harness) {
    const [session] = sessionsOf(harness);
    for (const found of [undefined, ""]) {
      const what = `print(session, ${shown(found)})`;
      const text = print(harness, { session, found }, what);
      const parsed = parse(harness, text, `parse() after ${what}`);
      expectSession(harness, parsed, { expected: session, clause: "print", what: `parse() after ${what}` });
    }
  },
};

const replaced: FormatCase = {
  name: "replaces the session of each document",
  needs: [],
  run(harness) {
    const [first, second] = sessionsOf(harness);
    for (const { name, text } of documentsOf(harness, first)) {
      const printed = print(harness, { session: second, found: text(first) }, `print() into ${name}`);
      const what = `parse() after print() of another session into ${name}`;
      expectSession(harness, parse(harness, printed, what), { expected: second, clause: "print", what });
    }
  },
};

const kept: FormatCase = {
  name: "changes no byte that it does not own",
  needs: [],
  run(harness) {
    const [first, second] = sessionsOf(harness);
    for (const { name, text } of documentsOf(harness, first)) {
      const [printed, expected] = [
        print(harness, { session: second, found: text(first) }, `print() into ${name}`),
        text(second),
      ];
      expectThat(
        printed === expected,
        "keep",
        () => `Printing another session into ${name} wrote ${differenceOf(expected, printed)}.`,
      );
    }
  },
};

const removed: FormatCase = {
  name: "removes each member that the new session does not have, and restores it",
  needs: ["members"],
  run(harness) {
    const [first, second] = sessionsOf(harness);
    for (const { name, text } of harness.documents) {
      for (const field of optionalFields(harness)) {
        const fewer = without(second, [field]);
        const found = print(harness, { session: fewer, found: text(first) }, `print() without ${field} into ${name}`);
        const what = `parse() after print() without ${field} into ${name}`;
        expectSession(harness, parse(harness, found, what), { expected: fewer, clause: "print", what });
        const again = print(harness, { session: first, found }, `print() with ${field} into ${name}`);
        const restored = `parse() after print() with ${field} again into ${name}`;
        expectSession(harness, parse(harness, again, restored), { expected: first, clause: "print", what: restored });
      }
    }
  },
};

const precise: FormatCase = {
  name: "keeps times up to the precision that the harness declares",
  needs: ["members"],
  run(harness) {
    const [session] = sessionsOf(harness);
    const { tokens, obtainedAt } = createSession(7); // with milliseconds
    const exact = { ...session, tokens: { ...session.tokens, expiresAt: tokens.expiresAt }, obtainedAt };
    for (const { name, text } of harness.documents) {
      const printed = print(harness, { session: exact, found: text(session) }, `print() into ${name}`);
      const what = `parse() after print() of times with milliseconds into ${name}`;
      expectSession(harness, parse(harness, printed, what), { expected: exact, clause: "print", what });
    }
  },
};

const TOKENS = [
  "a$&b$1",
  'a"b',
  "a\\b",
  "a\nb",
  "a b=c#d;e",
  "a'b`c",
  "é 漢字 🔑",
  "\u2028",
  "\uD800",
  "</a>",
  "null",
  "1",
];

const unusual: FormatCase = {
  name: "prints unusual tokens so that they are read back, or throws",
  needs: [],
  run(harness) {
    const [session] = sessionsOf(harness);
    for (const { name, text } of harness.documents) {
      for (const accessToken of TOKENS) {
        const unusual = { ...session, tokens: { ...session.tokens, accessToken } };
        const printed = expectOrThrow(() => harness.format.print(unusual, text(session)));
        if (printed === undefined) continue; // it refuses the token
        const what = `parse() after print() of the access token ${shown(accessToken)} into ${name}`;
        const found = expectResult("print", what, () => harness.format.parse(printed));
        expectSession(harness, found, { expected: unusual, clause: "print", what });
      }
    }
  },
};

const expectOrThrow = (call: () => string | undefined): string | undefined => {
  try {
    return call();
  } catch {
    return undefined;
  }
};

export const printingCases: readonly FormatCase[] = [
  empty,
  read,
  unchanged,
  created,
  replaced,
  kept,
  removed,
  precise,
  unusual,
];
