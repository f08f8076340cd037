import type { FormattedSession } from "@unexpired/core";
import { type Mutant, printing } from "./mutant.ts";

const reformat = (text: string) => `${JSON.stringify(JSON.parse(text), undefined, 2)}\n`;

export const writingMutants: readonly Mutant[] = [
  {
    name: "reformats what it can",
    caughtBy: "prints a session that it has parsed without changing a byte",
    clause: "unchanged",
    says: "Printing the session that was parsed from a file on one line wrote ",
    spoil: printing((text) => (text.startsWith("{") ? reformat(text) : text)),
  },
  {
    name: "drops a byte order mark",
    caughtBy: "prints a session that it has parsed without changing a byte",
    clause: "unchanged",
    says: "a file with comments with a byte order mark wrote ",
    spoil: printing((text) => text.replace(/^\uFEFF/, "")),
  },
  {
    name: "needs a document",
    caughtBy: "prints a session where there was no document, or an empty one",
    clause: "print",
    says: "print(session, undefined) returned undefined instead of a text.",
    spoil: (format) => ({ ...format, print: (session, found) => found && format.print(session, found) }),
  },
  {
    name: "keeps the first session for ever",
    caughtBy: "replaces the session of each document",
    clause: "print",
    says: "returned the accessToken ",
    spoil: (format) => ({
      ...format,
      print: (session, found) => (session && found ? found : format.print(session, found)),
    }),
  },
  {
    name: "writes the access token alone",
    caughtBy: "replaces the session of each document",
    clause: "print",
    says: "returned the refreshToken ",
    spoil: (format) => ({
      ...format,
      print(session, found) {
        const old = found === undefined ? undefined : format.parse(found);
        if (!session || !old) return format.print(session, found);
        const { refreshToken, idToken } = old.tokens;
        const tokens = { ...session.tokens, ...(refreshToken && { refreshToken }), ...(idToken && { idToken }) };
        return format.print({ ...session, tokens }, found);
      },
    }),
  },
  {
    name: "writes LF at the ends of all lines",
    caughtBy: "changes no byte that it does not own",
    clause: "keep",
    says: "a file with comments with CRLF at the ends of its lines wrote ",
    spoil: printing((text) => text.replaceAll("\r\n", "\n")),
  },
  {
    name: "adds a final newline",
    caughtBy: "changes no byte that it does not own",
    clause: "keep",
    says: "a file with comments without a final newline wrote ",
    spoil: printing((text) => text.replace(/\n?$/, "\n")),
  },
  {
    name: "keeps the old refresh token if the new session has none",
    caughtBy: "removes each member that the new session does not have, and restores it",
    clause: "print",
    says: "parse() after print() without refreshToken into a file with comments returned the refreshToken ",
    spoil: (format) => ({
      ...format,
      print(session, found) {
        const refreshToken = found === undefined ? undefined : format.parse(found)?.tokens.refreshToken;
        return format.print(session && { ...session, tokens: { refreshToken, ...session.tokens } }, found);
      },
    }),
  },
  {
    name: "writes whole minutes",
    caughtBy: "keeps times up to the precision that the harness declares",
    clause: "print",
    says: "returned the expiresAt ",
    spoil: (format) => ({
      ...format,
      print: (session, found) => format.print(session && roundExpiry(session), found),
    }),
  },
  {
    name: "inserts tokens as a replacement pattern",
    caughtBy: "prints unusual tokens so that they are read back, or throws",
    clause: "print",
    says: 'the access token "a$&b$1" into a file with comments returned the accessToken ',
    spoil: (format) => ({
      ...format,
      print(session, found) {
        if (!session?.tokens.accessToken.includes("$")) return format.print(session, found);
        const text = format.print({ ...session, tokens: { ...session.tokens, accessToken: "-marker-" } }, found);
        return text?.replace("-marker-", session.tokens.accessToken);
      },
    }),
  },
];

const roundExpiry = (session: FormattedSession): FormattedSession => {
  const { tokens } = session;
  return { ...session, tokens: { ...tokens, expiresAt: Math.floor(Number(tokens.expiresAt) / 60_000) * 60_000 } };
};
