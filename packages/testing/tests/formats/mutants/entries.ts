import type { Mutant } from "./mutant.ts";

export const entryMutants: readonly Mutant[] = [
  {
    name: "has no key",
    caughtBy: "identifies its entry by a key, which holds no token",
    clause: "key",
    says: 'The key is "", not a string.',
    spoil: (format) => ({ ...format, key: "" }),
  },
  {
    name: "has the last access token as its key",
    caughtBy: "identifies its entry by a key, which holds no token",
    clause: "key",
    says: 'The key was "none", and then "',
    spoil(format) {
      let key = "none";
      return {
        ...format,
        get key() {
          return key;
        },
        parse(text) {
          const parsed = format.parse(text);
          key = parsed?.tokens.accessToken ?? key;
          return parsed;
        },
      };
    },
  },
  {
    name: "has one key for all entries",
    caughtBy: "has another key than the format of another entry",
    clause: "key",
    says: "The format of another entry has the key ",
    spoil: (format) => ({ ...format, key: format.key.replace("mine", "other") }),
  },
  {
    name: "signs out all entries",
    caughtBy: "leaves the sessions of other entries alone",
    clause: "keep",
    says: "print(undefined, …) of a file with comments changed the session of another entry.",
    spoil: (format) => ({
      ...format,
      print: (session, found) =>
        session ? format.print(session, found) : format.print(session, found)?.replaceAll('"access"', '"former"'),
    }),
  },
];
