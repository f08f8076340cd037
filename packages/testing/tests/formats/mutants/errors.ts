import type { SessionFormat } from "@unexpired/core";
import type { Mutant } from "./mutant.ts";

const tolerant = (format: SessionFormat): SessionFormat => ({
  ...format,
  parse(text) {
    try {
      return format.parse(text);
    } catch {
      return undefined;
    }
  },
});

export const errorMutants: readonly Mutant[] = [
  {
    name: "finds no session in unreadable text",
    caughtBy: "throws if a text is unreadable",
    clause: "invalid",
    says: "parse() of the unreadable text 1 of the harness did not throw.",
    spoil: tolerant,
  },
  {
    name: "starts over if the document is unreadable",
    caughtBy: "prints nothing over a text that is unreadable",
    clause: "invalid",
    says: "print(session, …) over the unreadable text 1 of the harness did not throw.",
    spoil: (format) => ({
      ...format,
      print(session, found) {
        try {
          return format.print(session, found);
        } catch {
          return format.print(session, undefined);
        }
      },
    }),
  },
  {
    name: "quotes the text in its errors",
    caughtBy: "hides tokens in its errors",
    clause: "hide",
    says: "A token appears in the error of parse() about the unreadable text 1 of the harness.",
    spoil: (format) => ({
      ...format,
      parse(text) {
        try {
          return format.parse(text);
        } catch (cause) {
          throw new SyntaxError(`${JSON.stringify(text)} is not valid JSON`, { cause });
        }
      },
    }),
  },
];
