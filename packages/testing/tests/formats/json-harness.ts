import type { FormattedSession, SessionFormat } from "@unexpired/core";
import { jsonFormat } from "@unexpired/store-node";
import type { FormatHarness } from "../../src/index.ts";

const formatOf = (id: string) =>
  jsonFormat({
    at: ["accounts", { where: { id } }],
    fields: {
      accessToken: "access",
      refreshToken: "refresh",
      idToken: "id_token",
      scope: { path: "scopes", unit: "array" },
      expiresAt: { path: "expires", unit: "ms" },
      obtainedAt: { path: ["meta", "obtained"], unit: "iso" },
      account: ["meta", "account"],
    },
  });

const json = (value: unknown): string => JSON.stringify(value);

/** A user's file with comments, and an older value that is shadowed. */
const commented = ({ tokens, obtainedAt, account }: FormattedSession): string => `// Accounts
{
  "theme": "dark",
  "accounts": [
    { "id": "other", "access": "token-of-another-account" }, // by hand
    {
      "id": "mine",
      "refresh": "shadowed", "refresh": ${json(tokens.refreshToken)},
      "access": ${json(tokens.accessToken)}, /* do not share */
      "id_token": ${json(tokens.idToken)},
      "expires": ${tokens.expiresAt},
      "scopes": [${(tokens.scope ?? "").split(" ").map(json).join(", ")}],
      "plan": "max",
      "meta": { "account": ${json(account)}, "obtained": "${new Date(obtainedAt).toISOString()}", "by": "tool" },
    },
  ],
}
`;

/** A file on one line. */
const compact = ({ tokens, obtainedAt, account }: FormattedSession): string =>
  json({
    accounts: [
      {
        id: "mine",
        access: tokens.accessToken,
        refresh: tokens.refreshToken,
        id_token: tokens.idToken,
        scopes: tokens.scope?.split(" "),
        expires: tokens.expiresAt,
        meta: { obtained: new Date(obtainedAt).toISOString(), account },
      },
    ],
    version: 3,
  });

/** The parts that a sign-out leaves of the file with comments. The last one is in its innermost object. */
const KEPT = ["// Accounts\n", '"theme": "dark"', "// by hand", "/* do not share */", '"plan": "max"', '"by": "tool"'];

/** Returns a harness for an entry of a JSON document, with another format in place of the right one. */
export const jsonHarness = (change: (format: SessionFormat) => SessionFormat = (format) => format): FormatHarness => ({
  format: change(formatOf("mine")),
  fields: ["accessToken", "refreshToken", "idToken", "scope", "expiresAt", "obtainedAt", "account"],
  documents: [
    {
      name: "a file with comments",
      text: commented,
      keeps: KEPT,
    },
    { name: "a file on one line", text: compact, keeps: ['"version":3'] },
  ],
  neighbors: [formatOf("other"), formatOf("third")],
  unreadable: [
    (session) => commented(session).slice(0, -20),
    {
      name: "a file whose expiry is no time",
      text: (session) =>
        commented(session).replace(/"expires": \d+/, `"expires": ${json(session.tokens.refreshToken)}`),
      keeps: KEPT,
    },
    {
      name: "a file with a list in place of an object",
      text: (session) => commented(session).replace(/"meta": \{.*?\},/, `"meta": [${json(session.tokens.idToken)}],`),
      keeps: KEPT.slice(0, -1),
    },
    ({ tokens }) => json([tokens.accessToken]),
  ],
});
