import type { FormattedSession, ParsedSession, TokenSet } from "@unexpired/core";
import { CANARY } from "../adapters/session.ts";
import { type Clause, expectThat } from "../contract.ts";
import { shown } from "../stores/cases/case.ts";
import type { FormatField, FormatHarness } from "./harness.ts";

const MOMENT = Date.UTC(2030, 0, 1);

/** Returns a session with all members. Its times have the given precision. */
export function createSession(number: number, precision = 1): FormattedSession {
  const time = (seconds: number) => Math.floor((MOMENT + seconds * 1000 + 321) / precision) * precision;
  const tokens: TokenSet = {
    accessToken: `${CANARY}access-${number}`,
    refreshToken: `${CANARY}refresh-${number}`,
    idToken: `${CANARY}id-${number}`,
    expiresAt: time(3600 * (number + 1)),
    scope: `read write-${number}`,
    tokenType: "Bearer",
    extra: {},
  };
  return { tokens, obtainedAt: time(3600 * number), account: `account-${number}` };
}

const OPTIONAL = ["refreshToken", "expiresAt", "scope", "idToken", "account"] as const;

/** Returns the members that a session can lack and that the format owns. */
export const optionalFields = ({ fields }: FormatHarness): readonly FormatField[] =>
  OPTIONAL.filter((field) => fields.includes(field));

/** Returns two sessions that differ in every member, and have none that the format does not own. */
export function sessionsOf({
  sessions,
  precision,
  fields,
}: FormatHarness): readonly [FormattedSession, FormattedSession] {
  const foreign = OPTIONAL.filter((field) => !fields.includes(field));
  const own = [1, 2].map((number) => without(createSession(number, precision), foreign));
  const [first, second] = sessions ?? own;
  if (!first || !second) throw new TypeError("The harness needs two sessions or more, or none.");
  return [first, second];
}

/** Returns a session without some of its members. */
export function without(session: FormattedSession, fields: readonly FormatField[]): FormattedSession {
  const isLeft = ([name]: readonly [string, unknown]) => !fields.some((field) => field === name);
  const { tokens, ...rest } = session;
  const left = Object.fromEntries(Object.entries(tokens).filter(isLeft));
  return { tokens: left, ...Object.fromEntries(Object.entries(rest).filter(isLeft)) } as unknown as FormattedSession;
}

/** Completes a session that was parsed, so that it can be printed. */
export function complete(parsed: ParsedSession): FormattedSession {
  const { accessToken = "", tokenType = "Bearer", extra = {}, ...rest } = withTimes(parsed.tokens);
  const tokens = { accessToken, tokenType, extra, ...rest };
  const { obtainedAt = Number.NaN, account } = parsed;
  return { tokens, obtainedAt, account };
}

/** Returns the tokens with their times in epoch milliseconds, which a format may return as ISO 8601. */
const withTimes = ({ expiresAt, refreshTokenExpiresAt, ...tokens }: ParsedSession["tokens"]) => ({
  ...tokens,
  ...(expiresAt !== undefined && { expiresAt: toTime(expiresAt) }),
  ...(refreshTokenExpiresAt !== undefined && { refreshTokenExpiresAt: toTime(refreshTokenExpiresAt) }),
});

const toTime = (time: number | string): number => (typeof time === "string" ? Date.parse(time) : time);

const memberOf = ({ tokens, account, obtainedAt }: ParsedSession | FormattedSession, field: FormatField): unknown =>
  ({ ...withTimes(tokens), account, obtainedAt })[field];

/** Returns the tokens of a session that a format owns. */
export const secretsOf = (session: FormattedSession, { fields }: FormatHarness): readonly string[] =>
  (["accessToken", "refreshToken", "idToken"] as const)
    .filter((field) => fields.includes(field))
    .flatMap((field) => session.tokens[field] ?? []);

/** Expects that `found` is the session `expected`, in the fields that the format owns. */
export function expectSession(
  { fields, precision = 1 }: FormatHarness,
  found: ParsedSession | undefined,
  { expected, clause, what }: { readonly expected: FormattedSession; readonly clause: Clause; readonly what: string },
): void {
  expectThat(
    found !== undefined && found !== null,
    clause,
    () => `${what} returned ${shown(found)} instead of a session.`,
  );
  for (const field of fields) {
    const [actual, wanted] = [memberOf(found, field), memberOf(expected, field)];
    const isClose = typeof actual === "number" && Math.abs(actual - Number(wanted)) < precision;
    expectThat(
      actual === wanted || isClose,
      clause,
      () => `${what} returned the ${field} ${shown(actual)} instead of ${shown(wanted)}.`,
    );
  }
}
