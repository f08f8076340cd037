import { createHash } from "node:crypto";
import type { FormattedSession } from "@unexpired/core";
import type { Mutant } from "./mutant.ts";

/** Changes the text that is left by `discard`. */
const discarding =
  (change: (left: string | undefined, found: string) => unknown): Mutant["spoil"] =>
  (format) => ({ ...format, discard: (found) => change(format.discard?.(found), found) as string | undefined });

const EXPIRED: FormattedSession = {
  tokens: { accessToken: "none", expiresAt: 0, tokenType: "Bearer", extra: {} },
  obtainedAt: 0,
};

const KEPT = "leaves everything else when it discards an unreadable entry";
const FORMATTING =
  "leaves a byte order mark, the ends of lines and the final newline when it discards an unreadable entry";
const PURE = "discards synchronously, in the same way each time, and reads no clock";

export const discardingMutants: readonly Mutant[] = [
  {
    name: "leaves what is unreadable",
    caughtBy: "leaves no session and no token of an unreadable entry that it discards",
    clause: "discard",
    says: "parse() of the unreadable text 1 of the harness after discard() failed: ",
    spoil: discarding((_, found) => found),
  },
  {
    name: "keeps what it discards in a comment",
    caughtBy: "leaves no session and no token of an unreadable entry that it discards",
    clause: "discard",
    says: "After discard(), a file whose expiry is no time still contains a token.",
    spoil: discarding((left, found) => left && `${left}// ${found.replaceAll("\n", " ")}`),
  },
  {
    name: "puts a session of its own in place of an unreadable one",
    caughtBy: "leaves no session and no token of an unreadable entry that it discards",
    clause: "discard",
    says: "after discard() returned {",
    spoil: (format) => discarding((left) => left && format.print(EXPIRED, left))(format),
  },
  {
    name: "discards the whole document",
    caughtBy: KEPT,
    clause: "discard",
    says: "discard() of a file whose expiry is no time returned undefined, although there is more in it.",
    spoil: discarding(() => undefined),
  },
  {
    name: "refuses to discard anything",
    caughtBy: KEPT,
    clause: "discard",
    says: "discard() of a file whose expiry is no time failed: no",
    spoil: discarding(() => {
      throw new Error("no");
    }),
  },
  {
    name: "strips comments when it discards an entry",
    caughtBy: KEPT,
    clause: "keep",
    says: 'After discard(), a file whose expiry is no time no longer contains "// Accounts\\n".',
    spoil: discarding((left) => left?.replaceAll(/\/\/.*/g, "")),
  },
  {
    name: "leaves a digest of what it discards",
    caughtBy: KEPT,
    clause: "discard",
    says: "discard() of a file whose expiry is no time with another session left ",
    spoil: discarding((left, found) => left && `${left}// ${createHash("sha256").update(found).digest("hex")}\n`),
  },
  {
    name: "writes LF at the ends of all lines when it discards an entry",
    caughtBy: FORMATTING,
    clause: "discard",
    says: "discard() of a file whose expiry is no time with CRLF at the ends of its lines left ",
    spoil: discarding((left) => left?.replaceAll("\r\n", "\n")),
  },
  {
    name: "drops a byte order mark when it discards an entry",
    caughtBy: FORMATTING,
    clause: "discard",
    says: "discard() of a file whose expiry is no time with a byte order mark left ",
    spoil: discarding((left) => left?.replace(/^\uFEFF/, "")),
  },
  {
    name: "discards all entries",
    caughtBy: "leaves the sessions of other entries alone when it discards an unreadable one",
    clause: "discard",
    says: "discard() of a file whose expiry is no time changed the session of another entry.",
    spoil: discarding((left) => left?.replaceAll('"access"', '"former"')),
  },
  {
    name: "prints nothing where it has discarded an entry",
    caughtBy: "prints a session where it has discarded an unreadable entry",
    clause: "discard",
    says: "after discard() and print() returned undefined instead of a session.",
    spoil(format) {
      const emptied = new Set<string | undefined>();
      return {
        ...format,
        print: (session, found) => (found && emptied.has(found) ? found : format.print(session, found)),
        discard(found) {
          const left = format.discard?.(found);
          emptied.add(left);
          return left;
        },
      };
    },
  },
  {
    name: "quotes what it cannot discard",
    caughtBy: "hides tokens in the errors of discard",
    clause: "hide",
    says: "A token appears in the error of discard() about the unreadable text 1 of the harness.",
    spoil: discarding((left, found) => {
      if (left === undefined) throw new SyntaxError(`${JSON.stringify(found)} is not valid JSON`);
      return left;
    }),
  },
  {
    name: "discards asynchronously",
    caughtBy: PURE,
    clause: "pure",
    says: "discard() of the unreadable text 1 of the harness returned a promise.",
    spoil: discarding(async (left) => left),
  },
  {
    name: "dates what it discards",
    caughtBy: PURE,
    clause: "pure",
    says: "discard() of the unreadable text 1 of the harness read the clock.",
    spoil: discarding((left) => (Date.now() > 0 ? left : undefined)),
  },
  {
    name: "discards an entry once",
    caughtBy: PURE,
    clause: "pure",
    says: "discard() of a file whose expiry is no time had another result the second time.",
    spoil(format) {
      const seen = new Set<string>();
      return {
        ...format,
        discard(found) {
          const isNew = !seen.has(found);
          seen.add(found);
          return isNew ? format.discard?.(found) : undefined;
        },
      };
    },
  },
];
