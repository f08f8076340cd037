import type { FormattedSession } from "@unexpired/core";
import type { Mutant } from "./mutant.ts";

export const purityMutants: readonly Mutant[] = [
  {
    name: "parses asynchronously",
    caughtBy: "is synchronous",
    clause: "pure",
    says: "parse() of a file with comments returned a promise.",
    spoil: (format) => ({ ...format, parse: (async (text: string) => format.parse(text)) as never }),
  },
  {
    name: "restores the session that it printed last",
    caughtBy: "returns the same for the same arguments, whatever it did before",
    clause: "pure",
    says: "The same calls with a file with comments had other results the second time.",
    spoil(format) {
      let last: FormattedSession | undefined;
      return {
        ...format,
        print(session, found) {
          if (found === undefined) last = session;
          return format.print(session ?? last, found);
        },
      };
    },
  },
  {
    name: "sorts the scope of the session that it prints",
    caughtBy: "leaves its arguments alone",
    clause: "pure",
    says: "print() of a frozen session into a file with comments failed: ",
    spoil: (format) => ({
      ...format,
      print(session, found) {
        if (session) Object.assign(session.tokens, { scope: session.tokens.scope });
        return format.print(session, found);
      },
    }),
  },
  {
    name: "states the current time",
    caughtBy: "reads no clock",
    clause: "pure",
    says: "parse() or print() of a file with comments read the clock.",
    spoil: (format) => ({
      ...format,
      print: (session, found) => format.print(session && { ...session, obtainedAt: Date.now() }, found),
    }),
  },
];
