import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chainNameOf } from "../../packages/store-node/src/documents/entry.ts";
import { jsonFormat } from "../../packages/store-node/src/formats/json-format.ts";
import { chainOf, headOf } from "./faults.ts";

/** The place of the session in the document of the other program. */
export const FORMAT = jsonFormat({
  at: ["session"],
  fields: { accessToken: "access", refreshToken: "refresh", expiresAt: { path: "expires", unit: "iso" } },
});

/** A member of the document that no process may touch. */
const SIBLING = '{ "access": "sibling-access",   "refresh": "sibling-refresh" }';

/** Returns the document with an expired session, as the other program has left it. */
const documentWith = (refreshToken: string): string => `{
  "writes": 0,
  "session": { "access": "expired-${refreshToken}", "refresh": "${refreshToken}", "expires": "1970-01-01T00:00:00.000Z" },
  "sibling": ${SIBLING}
}
`;

/** Returns the document with the number of the other program's next write. */
export const withWrites = (text: string, writes: number): string =>
  text.replace(/"writes": \d+/, `"writes": ${writes}`);

export const writesIn = (text: string): number => Number(/"writes": (\d+)/.exec(text)?.[1]);

/** Returns the chain beside a document, with the generations of its session. */
export const chainOfDocument = (path: string): string => join(chainOf(path), chainNameOf(FORMAT));

/** Describes what is wrong with a document at the end of a round. */
export function documentViolations(path: string): string[] {
  const text = readFileSync(path, "utf8");
  const { value } = JSON.parse(readFileSync(headOf(chainOfDocument(path)), "utf8")) as { value: string };
  const { tokens, dead } = JSON.parse(value) as { tokens?: { refreshToken?: string }; dead?: object };
  const isShown = dead !== undefined || FORMAT.parse(text)?.tokens.refreshToken === tokens?.refreshToken;
  return [
    ...(text.includes(SIBLING) ? [] : ["P7: another entry of the document has changed"]),
    ...(isShown ? [] : ["P5: the document does not show the session"]),
  ];
}

/** Puts the document of the other program in place. */
export const writeDocument = (path: string, refreshToken: string): void =>
  writeFileSync(path, documentWith(refreshToken), { mode: 0o600 });
