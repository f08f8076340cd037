import type { FormattedSession, ParsedSession, SessionFormat, TokenSetInput } from "@unexpired/core";
import { assertKnownOptions } from "../known-options.ts";
import { hideTokens } from "./hide-tokens.ts";
import { type JsonDocument, locate, parseDocument } from "./json-document.ts";
import { type Field, type FieldName, type JsonFields, keyOf, placeOf, toFields } from "./json-fields.ts";
import { type JsonPath, toSteps } from "./json-path.ts";
import { clearPath, writeChanges } from "./json-write.ts";
import { isHeld, type Members, membersOf, toChanges, type Value } from "./members.ts";

/** Options of {@link jsonFormat}. */
export interface JsonFormatOptions {
  /**
   * The path from the root to the entry: names of properties, and steps such as `{ where: { id: "34ee18" } }`, which
   * select the entry of an array that has these properties. An entry that is missing is appended. Default: the root.
   */
  readonly at?: JsonPath | undefined;
  /** The places of the session's members. At least `accessToken` or `refreshToken` is needed. */
  readonly fields: JsonFields;
}

/**
 * Creates the format of a session in a JSON document of another program. Comments and trailing commas are allowed; they
 * stay, and so does everything else that `fields` does not name: order, indentation, line ends, other entries.
 *
 * `null`, an empty string and an absent property count as unknown. Without an access token and a refresh token there is
 * no session. An expiry in seconds is rounded down. A time is written in the style of the one that is there: a number in
 * a string stays one, and an ISO 8601 time keeps its time zone. If a document that already holds these tokens does not
 * state `obtainedAt`, it is not added.
 *
 * `parse` and `print` throw a `StoreError` with the code `STORE_UNREADABLE` that names the place in the document, if the
 * text is not JSON, or if a value has the wrong type.
 *
 * @throws TypeError if the options are invalid
 */
export function jsonFormat(options: JsonFormatOptions): SessionFormat {
  assertKnownOptions("jsonFormat", options, ["at", "fields"]);
  const { at = [], fields: given } = Object(options) as JsonFormatOptions;
  const fields = toFields(given, toSteps(at, "at"));
  return Object.freeze({
    key: keyOf(fields),
    parse: (text: string) => readSession(parseDocument(text), fields),
    print: (session: FormattedSession | undefined, found: string | undefined) => print(fields, session, found),
    discard: (found: string) => discard(fields, found),
  });
}

function readSession(document: JsonDocument, fields: readonly Field[]): ParsedSession | undefined {
  const read = (...names: FieldName[]) =>
    readMembers(
      document,
      fields.filter(({ name }) => names.includes(name)),
    );
  const tokens = read("accessToken", "refreshToken");
  if (Object.keys(tokens).length === 0) return undefined; // what else is there matters to no session
  const { expiresAt, ...details } = read("expiresAt", "scope", "idToken");
  const origin = read("obtainedAt", "account");
  const expiry = toExpiry(fields, expiresAt, origin.obtainedAt);
  const members = { ...tokens, ...details, ...(expiry !== undefined && { expiresAt: expiry }) };
  return { tokens: hideTokens(members as TokenSetInput), ...(origin as Omit<ParsedSession, "tokens">) };
}

function readMembers(document: JsonDocument, fields: readonly Field[]): Members {
  const read = (field: Field): readonly (readonly [FieldName, Value])[] => {
    const place = locate(document, field.steps);
    if (place.kind !== "found") return [];
    const value = field.type.read({ node: place.node, text: document.text, location: placeOf(field) });
    return value === undefined ? [] : [[field.name, value]];
  };
  return Object.fromEntries(fields.flatMap(read));
}

/** Returns the expiry in epoch milliseconds. A lifetime whose beginning is unknown says nothing. */
function toExpiry(
  fields: readonly Field[],
  expiresAt: Value | undefined,
  obtainedAt: Value | undefined,
): Value | undefined {
  if (expiresAt === undefined || !fields.some(({ isLifetime }) => isLifetime)) return expiresAt;
  return obtainedAt === undefined ? undefined : Number(obtainedAt) + Number(expiresAt);
}

function print(
  fields: readonly Field[],
  session: FormattedSession | undefined,
  found: string | undefined,
): string | undefined {
  const document = parseDocument(found ?? "");
  const parsed = readSession(document, fields); // also throws if the session is unreadable
  const stated = parsed && membersOf(parsed, fields);
  const wanted = session ? membersOf(session, fields) : {};
  if (wanted.accessToken === undefined && wanted.refreshToken === undefined)
    return stated ? removeMembers(document, fields) : found;
  if (stated && isHeld(fields, stated, wanted)) return found;
  return writeChanges(document, toChanges(fields, stated ?? {}, wanted));
}

const removeMembers = (document: JsonDocument, fields: readonly Field[]): string =>
  writeChanges(
    document,
    fields.map((field) => ({ field, value: undefined })),
  );

function discard(fields: readonly Field[], found: string): string | undefined {
  const document = fields.reduce<JsonDocument | undefined>(
    (rest, { steps }) => rest && clearPath(rest, steps),
    tryParse(found),
  );
  return document && removeMembers(document, fields);
}

function tryParse(text: string): JsonDocument | undefined {
  try {
    return parseDocument(text);
  } catch {
    return undefined;
  }
}
