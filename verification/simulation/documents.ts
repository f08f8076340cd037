import type { ParsedSession, SessionFormat } from "@unexpired/core";
import { jsonFormat } from "../../packages/store-node/src/formats/json-format.ts";
import type { WorldOptions } from "./world-options.ts";

/** A kind of document: its format, and how the other program writes it. */
export interface DocumentKind {
  readonly format: SessionFormat;
  /** Returns the whole document. `writes` counts what the other program has written. */
  write(session: ForeignSession | undefined, writes: number): string;
}

/** The session of the other program, in the members that it keeps. */
export interface ForeignSession {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAt: number;
  readonly account: string;
}

/** An entry of an object, which names its account, beside another entry of the same form. */
const OBJECT: DocumentKind = {
  format: jsonFormat({
    at: ["session"],
    fields: {
      accessToken: "access",
      refreshToken: "refresh",
      expiresAt: { path: "expires", unit: "iso" },
      account: "account",
    },
  }),
  write: (session, writes) =>
    [
      "// kept by another program",
      "{",
      `  "writes": ${writes}, // numbered`,
      ...(session ? [`  "session": ${objectEntry(session)},`] : []),
      '  "other": { "access": "other-access", "refresh": "other-refresh" }, // a sibling',
      "}",
      "",
    ].join("\n"),
};

const objectEntry = ({ accessToken, refreshToken, expiresAt, account }: ForeignSession): string =>
  JSON.stringify({ access: accessToken, refresh: refreshToken, expires: new Date(expiresAt).toISOString(), account });

/** An entry of an array, which does not name its account, among siblings. */
const ARRAY: DocumentKind = {
  format: jsonFormat({
    at: ["pool", { where: { id: "ours" } }],
    fields: { accessToken: "access", refreshToken: "refresh", expiresAt: "expires" },
  }),
  write: (session, writes) =>
    [
      "{",
      `\t"writes": ${writes}, // numbered`,
      '\t"pool": [',
      '\t\t{ "id": "first", "access": "first-access", "refresh": "first-refresh" }, // a sibling',
      ...(session ? [`\t\t${arrayEntry(session)},`] : []),
      '\t\t{ "id": "last", "access": "last-access", "refresh": "last-refresh" }, // another sibling',
      "\t],",
      "}",
      "",
    ].join("\n"),
};

const arrayEntry = ({ accessToken, refreshToken, expiresAt }: ForeignSession): string =>
  JSON.stringify({ id: "ours", access: accessToken, refresh: refreshToken, expires: expiresAt });

export const KINDS: Readonly<Record<Exclude<WorldOptions["document"], "none">, DocumentKind>> = {
  object: OBJECT,
  array: ARRAY,
};

/** The content of a document: a session, none, or text that is not complete. */
export type Found =
  | { readonly kind: "session"; readonly tokens: ParsedSession["tokens"] }
  | { readonly kind: "empty" }
  | { readonly kind: "torn" };

/** Reads a document. A missing one is empty. */
export function readDocument({ format }: DocumentKind, text: string | undefined): Found {
  try {
    const session = text === undefined ? undefined : format.parse(text);
    return session ? { kind: "session", tokens: session.tokens } : { kind: "empty" };
  } catch {
    return { kind: "torn" };
  }
}

/** The lines that the other program wrote, apart from the session. */
export const othersLines = (text: string | undefined): string =>
  (text ?? "")
    .split("\n")
    .filter((line) => line.includes("//"))
    .join("\n");

/** The number of the other program's last write that a document holds. */
export const writesIn = (text: string | undefined): number => Number(/"writes": (\d+)/.exec(text ?? "")?.[1] ?? 0);
