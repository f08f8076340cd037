import type { Mutant } from "./mutant.ts";

export const signOutMutants: readonly Mutant[] = [
  {
    name: "leaves the session in the document at a sign-out",
    caughtBy: "removes the session and its tokens at a sign-out",
    clause: "clear",
    says: "After a sign-out, parse() of a file with comments returned {",
    spoil: (format) => ({ ...format, print: (session, found) => (session ? format.print(session, found) : found) }),
  },
  {
    name: "keeps the refresh token in a comment",
    caughtBy: "removes the session and its tokens at a sign-out",
    clause: "clear",
    says: "After a sign-out, a file with comments still contains a token.",
    spoil: (format) => ({
      ...format,
      print(session, found) {
        const text = format.print(session, found);
        const old = session || found === undefined ? undefined : format.parse(found)?.tokens.refreshToken;
        return old === undefined ? text : `${text}// was: ${old}`;
      },
    }),
  },
  {
    name: "deletes the document at a sign-out",
    caughtBy: "leaves everything else at a sign-out",
    clause: "keep",
    says: 'After a sign-out, a file with comments no longer contains "// Accounts\\n".',
    spoil: (format) => ({ ...format, print: (session, found) => session && format.print(session, found) }),
  },
  {
    name: "strips comments when it adds a session",
    caughtBy: "prints a session after a sign-out",
    clause: "keep",
    says: "After a sign-out and a sign-in, a file with comments no longer contains ",
    spoil: (format) => ({
      ...format,
      print(session, found) {
        const isNew = session && found !== undefined && !format.parse(found);
        return format.print(session, isNew ? found.replaceAll(/\/\/.*/g, "") : found);
      },
    }),
  },
  {
    name: "writes an empty document at a sign-out",
    caughtBy: "has nothing to remove where there is no session",
    clause: "clear",
    says: 'print(undefined, undefined) returned "{}" instead of undefined.',
    spoil: (format) => ({ ...format, print: (session, found) => format.print(session, found) ?? "{}" }),
  },
  {
    name: "adds a line at each sign-out",
    caughtBy: "has nothing to remove where there is no session",
    clause: "unchanged",
    says: "A second sign-out changed a file with comments again.",
    spoil: (format) => ({
      ...format,
      print(session, found) {
        const text = format.print(session, found);
        return session || text === undefined ? text : `${text}\n`;
      },
    }),
  },
];
