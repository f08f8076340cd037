import type { FormattedSession, ParsedSession } from "@unexpired/core";
import { type Clause, ConformanceError, expectThat, throwViolation } from "../../contract.ts";
import { shown } from "../../stores/cases/case.ts";
import type { FormatDocument, FormatHarness } from "../harness.ts";
import { optionalFields } from "../sessions.ts";

/** A feature of the harness that a case requires. */
export type FormatRequirement = keyof typeof SKIP_REASONS;

/** One requirement of the contract of session formats. */
export interface FormatCase {
  /** The required behavior: completes "it …". */
  readonly name: string;
  /** The case is skipped unless all of these are available. */
  readonly needs: readonly FormatRequirement[];
  /**
   * Checks the requirement.
   *
   * @throws ConformanceError if the format violates the contract
   */
  run(harness: FormatHarness): void;
}

/** For each requirement, the reason for skipping a case, or `undefined` if the requirement is met. */
const SKIP_REASONS = {
  neighbors: ({ neighbors = [] }: FormatHarness) =>
    neighbors.length > 0 ? undefined : "not testable: the harness has no `neighbors`",
  unreadable: ({ unreadable = [] }: FormatHarness) =>
    unreadable.length > 0 ? undefined : "not testable: the harness has no `unreadable`",
  discard: ({ format }: FormatHarness) => (format.discard ? undefined : "not promised: the format has no `discard`"),
  mixed: ({ unreadable = [] }: FormatHarness) =>
    unreadable.some((text) => typeof text === "object" && (text.keeps ?? []).length > 0)
      ? undefined
      : "not testable: no unreadable text of the harness has `keeps`",
  keeps: ({ documents }: FormatHarness) =>
    documents.some(({ keeps = [] }) => keeps.length > 0)
      ? undefined
      : "not testable: no document of the harness has `keeps`",
  members: (harness: FormatHarness) =>
    optionalFields(harness).length > 0 ? undefined : "not applicable: the format owns nothing but the access token",
} satisfies Record<string, (harness: FormatHarness) => string | undefined>;

/** Returns the reason for skipping a case, or `undefined` if it can run. */
export const skipReason = ({ needs }: FormatCase, harness: FormatHarness): string | undefined =>
  needs.map((need) => SKIP_REASONS[need](harness)).find((reason) => reason !== undefined);

/** Returns the result of `call`. Throws a {@link ConformanceError} if it throws; `what` names the operation. */
export function expectResult<T>(clause: Clause, what: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toViolation(clause, what, error);
  }
}

function toViolation(clause: Clause, what: string, error: unknown): ConformanceError {
  throwViolation(error);
  const { message = String(error) } = Object(error) as { message?: string };
  return new ConformanceError(clause, `${what} failed: ${message}`, { cause: error });
}

/** Returns the error that `call` throws. Throws a {@link ConformanceError} if it throws none. */
export function expectThrow(clause: Clause, what: string, call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new ConformanceError(clause, `${what} did not throw.`);
}

/** Parses a text. */
export const parse = ({ format }: FormatHarness, text: string, what: string): ParsedSession | undefined =>
  expectResult("parse", what, () => format.parse(text));

/** Prints a session. Throws a {@link ConformanceError} if the document would be deleted. */
export function print(
  { format }: FormatHarness,
  { session, found }: { readonly session: FormattedSession; readonly found: string | undefined },
  what: string,
): string {
  const text = expectResult("print", what, () => format.print(session, found));
  if (typeof text === "string") return text;
  throw new ConformanceError("print", `${what} returned ${text} instead of a text.`);
}

/** A way to change the bytes of a document that no program owns. */
interface Variant {
  readonly name: string;
  apply(text: string): string;
}

export const VARIANTS: readonly Variant[] = [
  { name: "", apply: (text) => text },
  { name: " with a byte order mark", apply: (text) => `\uFEFF${text.replace(/^\uFEFF/, "")}` },
  { name: " with CRLF at the ends of its lines", apply: (text) => text.replace(/\r?\n/g, "\r\n") },
  { name: " without a final newline", apply: (text) => text.replace(/\r?\n$/, "") },
  { name: " with two final newlines", apply: (text) => `${text}\n\n` },
];

/**
 * Returns the documents of the harness and, as far as the format can read them, what other editors make of them. The first
 * one of each document is unchanged.
 */
export const documentsOf = (harness: FormatHarness, session: FormattedSession): readonly FormatDocument[] =>
  harness.documents.flatMap((document) =>
    VARIANTS.map(({ name, apply }) => ({
      name: `${document.name}${name}`,
      keeps: document.keeps,
      text: (session: FormattedSession) => apply(document.text(session)),
    })).filter((variant, index) => index === 0 || isReadable(harness, variant.text(session))),
  );

function isReadable({ format }: FormatHarness, text: string): boolean {
  try {
    return format.parse(text) !== undefined;
  } catch {
    return false;
  }
}

/** Returns the unreadable texts of the harness, with a name for each. */
export const unreadableOf = ({ unreadable = [] }: FormatHarness): readonly FormatDocument[] =>
  unreadable.map((text, index) =>
    typeof text === "function" ? { name: `the unreadable text ${index + 1} of the harness`, text } : text,
  );

/** Expects that everything is left that the document has to keep. */
export const expectKept = ({ name, keeps = [] }: FormatDocument, text: string | undefined, when: string): void => {
  for (const part of keeps)
    expectThat(text?.includes(part) === true, "keep", () => `${when}, ${name} no longer contains ${shown(part)}.`);
};

/** Describes the first difference between two texts, for messages. */
export function differenceOf(expected: string, actual: string): string {
  let index = 0;
  while (index < expected.length && expected[index] === actual[index]) index++;
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, index - 20), index + 40));
  return `${around(actual)} instead of ${around(expected)}`;
}
