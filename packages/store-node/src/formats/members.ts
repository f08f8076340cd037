import type { FormattedSession, ParsedSession } from "@unexpired/core";
import type { Field, FieldName } from "./json-fields.ts";

export type Value = string | number;

/** The members of a session that a format owns, as far as they are known. */
export type Members = Readonly<Partial<Record<FieldName, Value>>>;

const LAST_DATE = 8.64e15; // the latest time that a Date can represent

/** Returns the members that a format owns. Empty strings and times that are not numbers count as unknown. */
export function membersOf(session: ParsedSession | FormattedSession, fields: readonly Field[]): Members {
  const { tokens, obtainedAt, account } = session;
  const { accessToken, refreshToken, expiresAt, scope, idToken } = tokens;
  const all = { accessToken, refreshToken, expiresAt, scope, idToken, account, obtainedAt };
  return Object.fromEntries(
    fields.flatMap(({ name }) => {
      const value = typeof all[name] === "number" ? toTime(all[name]) : all[name] || undefined;
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

const toTime = (time: number): number | undefined =>
  Number.isNaN(time) ? undefined : Math.min(Math.max(time, -LAST_DATE), LAST_DATE);

/** Returns whether a document states this value, up to its precision. */
const isSame = (field: Field, stated: Value | undefined, wanted: Value | undefined): boolean =>
  stated === wanted || (wanted !== undefined && stated === field.type.round(wanted));

/** Returns whether a document holds this session, apart from an `obtainedAt` that it does not state. */
export const isHeld = (fields: readonly Field[], stated: Members, wanted: Members): boolean =>
  fields.every((field) => {
    const isUnstated = field.name === "obtainedAt" && stated.obtainedAt === undefined;
    return isUnstated || isSame(field, stated[field.name], wanted[field.name]);
  });

/** A field, and the value that the document shall state for it; `undefined`: none. */
export interface Change {
  readonly field: Field;
  readonly value: Value | undefined;
}

/** Returns what a document shall state so that it holds a session. */
export function toChanges(fields: readonly Field[], stated: Members, wanted: Members): readonly Change[] {
  const beginning = beginningOf(fields, stated, wanted);
  const lifetime =
    beginning === undefined || wanted.expiresAt === undefined ? undefined : Number(wanted.expiresAt) - beginning;
  return fields.map((field) => ({ field, value: field.isLifetime ? lifetime : wanted[field.name] }));
}

/** Returns `obtainedAt` as the document will state it: a lifetime counts from there. */
function beginningOf(fields: readonly Field[], stated: Members, wanted: Members): number | undefined {
  const field = fields.find(({ name }) => name === "obtainedAt");
  if (!field || wanted.obtainedAt === undefined) return undefined;
  const isStated = isSame(field, stated.obtainedAt, wanted.obtainedAt);
  return Number(isStated ? stated.obtainedAt : field.type.round(wanted.obtainedAt));
}
