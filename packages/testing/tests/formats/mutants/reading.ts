import { type Mutant, parsing } from "./mutant.ts";

export const readingMutants: readonly Mutant[] = [
  {
    name: "finds a session without tokens in an empty document",
    caughtBy: "finds no session in an empty document",
    clause: "parse",
    says: 'parse("") returned {"tokens":{}} instead of undefined.',
    spoil: (format) => ({ ...format, parse: (text) => format.parse(text) ?? { tokens: {} as never } }),
  },
  {
    name: "throws for an empty document",
    caughtBy: "finds no session in an empty document",
    clause: "parse",
    says: 'parse("") failed: Unexpected end',
    spoil: (format) => ({
      ...format,
      parse(text) {
        if (text === "") throw new SyntaxError("Unexpected end of JSON input");
        return format.parse(text);
      },
    }),
  },
  {
    name: "reads an expiry in milliseconds as seconds",
    caughtBy: "reads the session of each document",
    clause: "parse",
    says: "returned the expiresAt 1893463",
    spoil: parsing(({ tokens, ...rest }) => ({
      ...rest,
      tokens: { ...tokens, expiresAt: Math.floor(Number(tokens.expiresAt) / 1000) },
    })),
  },
  {
    name: "cannot read comments",
    caughtBy: "reads the session of each document",
    clause: "parse",
    says: "parse() of a file with comments failed: ",
    spoil: (format) => ({
      ...format,
      parse(text) {
        if (text.includes("//")) throw new SyntaxError("Unexpected token");
        return format.parse(text);
      },
    }),
  },
];
