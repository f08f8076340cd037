import type { FormattedSession, ParsedSession, SessionFormat } from "@unexpired/core";
import { assertFormat } from "./assert-format.ts";

/**
 * Creates a format that reads documents in any of several formats and writes the first one. A document stays as it is
 * until there are other tokens to print; then the session leaves its older places. The `key` is that of `format`: a
 * program that still uses another format must not run beside this one, because it would not see what this one refreshes.
 *
 * Without a session in any of the formats, `parse` returns `undefined` or throws as `format` does.
 *
 * @throws TypeError if an argument is not a `SessionFormat`
 */
export function migratingFormat(format: SessionFormat, ...older: readonly SessionFormat[]): SessionFormat {
  const formats = [format, ...older];
  for (const [index, each] of formats.entries()) assertFormat(each, `migratingFormat: argument ${index + 1}`);
  const print = (session: FormattedSession, found: string | undefined) => {
    const reader = found === undefined ? format : (readerOf(formats, found) ?? format);
    if (found !== undefined && isHeld(reader, session, found)) return found;
    const printed = format.print(session, reader === format ? found : reader.print(undefined, found));
    return older.reduce((text, each) => withoutLeftover(text, each, { session, format }), printed);
  };
  return Object.freeze({
    key: format.key,
    parse: (text: string) => (readerOf(formats, text) ?? format).parse(text),
    print: (session: FormattedSession | undefined, found: string | undefined) =>
      session ? print(session, found) : format.print(undefined, clear(formats, found)),
    discard: (found: string) => format.discard?.(found),
  });
}

/** Returns the first format that finds a session in a text. */
const readerOf = (formats: readonly SessionFormat[], text: string): SessionFormat | undefined =>
  formats.find((format) => tryParse(format, text) !== undefined);

function tryParse(format: SessionFormat, text: string): ParsedSession | undefined {
  try {
    return format.parse(text);
  } catch {
    return undefined; // a document of another format
  }
}

/** Returns whether a document already holds a session. */
function isHeld(format: SessionFormat, session: FormattedSession, found: string | undefined): boolean {
  try {
    return format.print(session, found) === found;
  } catch {
    return false; // the format cannot hold it
  }
}

interface Printed {
  readonly session: FormattedSession;
  readonly format: SessionFormat;
}

/**
 * Removes another session from an older place: once the program signs out in the new place, it would come back. What the
 * two formats share stays.
 */
function withoutLeftover(text: string | undefined, older: SessionFormat, { session, format }: Printed) {
  const tokens = text === undefined ? undefined : tryParse(older, text)?.tokens;
  const isShared = (name: "accessToken" | "refreshToken") =>
    (tokens?.[name] ?? session.tokens[name]) === session.tokens[name];
  if (!tokens || (isShared("accessToken") && isShared("refreshToken"))) return text;
  const cleared = older.print(undefined, text);
  return cleared !== undefined && isHeld(format, session, cleared) ? cleared : text;
}

/** Removes the session from a document in every format that finds one, so that no older one comes back. */
const clear = (formats: readonly SessionFormat[], found: string | undefined): string | undefined =>
  formats.reduce(
    (text, format) => (text !== undefined && tryParse(format, text) ? format.print(undefined, text) : text),
    found,
  );
