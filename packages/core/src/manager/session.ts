import { isDeadReason } from "../errors.ts";
import { isSameAccount, rotationOf, type SessionRecord } from "../record/record.ts";
import type { RecordSource } from "../refresh/renewal.ts";
import type { DeadReason, SessionState } from "../types.ts";
import type { Moment } from "../util/clock.ts";
import type { SessionView } from "../util/session-access.ts";

/** The session as one manager knows it. Immutable. */
export interface Session {
  /** The record as last observed; `undefined` if none exists or none has been loaded yet. */
  readonly record?: SessionRecord | undefined;
  readonly isLoaded: boolean;
  /** The account whose session this manager keeps: that of the first record observed, or of the last sign-in. */
  readonly account?: string | undefined;
  /** Whether a renewal is running in this manager. */
  readonly isRenewing: boolean;
  /** The access token that a resource server rejected, while it is being replaced. */
  readonly rejected?: string | undefined;
  /** The last access token that a resource server rejected and that no exchange can replace. */
  readonly unrenewable?: string | undefined;
  /** The last record with tokens, even if they have been taken away since: another process may still have them. */
  readonly seen?: SessionRecord | undefined;
  /** The monotonic time when this manager first saw the access token of `seen`. */
  readonly firstSeen: number;
  /** When an exchange obtained the record's access token; `undefined` if none did, or if the clocks contradict each other. */
  readonly exchangedAt?: Moment | undefined;
  /** The monotonic time before which no background renewal starts, because the last renewal found nothing to do or failed. */
  readonly nextCheckAt: number;
  /** How many renewals in a row have failed because of the store. */
  readonly storeFailures: number;
  /** When this manager last began a load, or learned what is stored. */
  readonly lookedAt: Moment;
  /** The last announced state. */
  readonly announced?: SessionState | undefined;
}

/** The manager's options that affect decisions. */
export interface Rules {
  readonly canRefresh: boolean;
  /** Milliseconds. */
  readonly refreshWindow: number;
  readonly background: boolean;
  readonly staleIfError: boolean;
  /** Milliseconds. */
  readonly maxStaleness: number;
  /** Milliseconds; of a refresh token whose expiry is unknown. */
  readonly refreshTokenLifetime?: number | undefined;
}

/** The inputs of a decision: the rules, the location, and the current moment. */
export interface Context extends Rules, Moment {
  /** A human-readable location of the session. */
  readonly location: string;
}

export const initialSession: Session = {
  lookedAt: { now: 0, monotonic: 0 },
  isLoaded: false,
  isRenewing: false,
  firstSeen: Number.POSITIVE_INFINITY,
  nextCheckAt: Number.NEGATIVE_INFINITY,
  storeFailures: 0,
};

/** Returns the state of a session at the time of `ctx`, or `undefined` before the first load. */
export function stateOf(session: Session, ctx: Context): SessionState | undefined {
  if (!session.isLoaded) return undefined;
  const reason = deadReasonOf(session, ctx);
  if (reason) return { status: "dead", reason };
  const { record } = session;
  const expiresAt = record?.tokens?.expiresAt;
  const verdict = verdictOf(record);
  if (verdict) return { status: "near-expiry", expiresAt, usable: true, renewable: false, reason: verdict };
  const isNear = isDue(session, ctx);
  const usable = isUsable(session, ctx) || !isNear; // a new token is used, even if it has expired by our clock
  if (session.isRenewing || record?.attempt?.status === "claimed") return { status: "refreshing", expiresAt, usable };
  return isNear ? { status: "near-expiry", expiresAt, usable, renewable: true } : { status: "valid", expiresAt };
}

/**
 * Returns the moment until which calls can return the access token without any further check, as nearly all do: until
 * either clock reaches it. Minus infinity if every call needs the check.
 */
export function validUntil(session: Session, ctx: Context): Moment {
  const { record } = session;
  if (!record?.tokens || stateOf(session, { ...ctx, ...NEVER })?.status !== "valid") return NEVER;
  const { expiresAt } = record.tokens;
  const stale = staleAt(session, ctx);
  if (expiresAt === undefined) return stale;
  const early = isRenewable(session, ctx) ? windowOf(record, ctx) : 0;
  return {
    now: Math.min(expiresAt - early, stale.now),
    monotonic: Math.min(session.firstSeen + lifetimeOf(record) - early, stale.monotonic),
  };
}

export const NEVER: Moment = { now: Number.NEGATIVE_INFINITY, monotonic: Number.NEGATIVE_INFINITY };

/** Returns the moment from which the last load counts as stale, on either clock. */
const staleAt = ({ lookedAt: { now, monotonic } }: Session, { maxStaleness }: Rules): Moment => ({
  now: now + maxStaleness,
  monotonic: monotonic + maxStaleness,
});

/** Returns whether to load again, because the store does not notify of changes. */
export function isStale(session: Session, ctx: Context): boolean {
  const { now, monotonic } = staleAt(session, ctx);
  return ctx.now >= now || ctx.monotonic >= monotonic;
}

/** Returns whether to load the session, because it has not been loaded yet, or what is known of it is stale. */
export const isLookDue = (session: Session, ctx: Context): boolean => !session.isLoaded || isStale(session, ctx);

/** Returns the reason why the session cannot be used, or `undefined` if it is alive, or its access token still is. */
export function deadReasonOf(session: Session, ctx: Context): DeadReason | undefined {
  const { record } = session;
  if (!record) return "no_session";
  if (!isSameAccount(session.account, record)) return "account_changed";
  if (isUsable(session, ctx) || isRenewable(session, ctx)) return undefined;
  return verdictOf(record) ?? (record.tokens ? "session_expired" : "no_session");
}

/** Returns the session for a pool, or `undefined` before the first load. */
export const viewOf = (session: Session, ctx: Context): SessionView | undefined =>
  session.isLoaded
    ? { session: session.record?.session, tokens: session.record?.tokens, reason: deadReasonOf(session, ctx) }
    : undefined;

/** Returns the reason why the server refuses to refresh the session, if it does. */
export const verdictOf = (record: SessionRecord | undefined): DeadReason | undefined => {
  const reason = record?.dead?.reason;
  return reason === undefined || isDeadReason(reason) ? reason : "session_expired";
};

export const isRenewable = ({ record }: Session, ctx: Context): boolean =>
  ctx.canRefresh && record?.tokens?.refreshToken !== undefined && !record.dead;

/** Returns whether, as far as this manager knows, the record's access token is still accepted. */
export function isUsable(session: Session, ctx: Context): boolean {
  const { record, rejected } = session;
  if (!record?.tokens?.accessToken || record.tokens.accessToken === rejected) return false;
  return validFor(session, record, ctx) > 0;
}

/** Returns the session as it would be with `record`, whose access token may be one that this manager sees for the first time. */
export const withRecord = (session: Session, record: SessionRecord, { monotonic }: Context): Session =>
  hasSameAccessToken(record, session.seen)
    ? { ...session, record }
    : { ...session, record, firstSeen: monotonic, exchangedAt: undefined };

/** Like {@link withRecord}, for a record that was loaded: dates its exchange by the record. */
export function withLoadedRecord(session: Session, record: SessionRecord, ctx: Context): Session {
  const isKnown = hasSameAccessToken(record, session.seen);
  const next = withRecord(session, record, ctx);
  return isKnown ? next : { ...next, exchangedAt: momentOfExchange(record, "store", ctx) };
}

/**
 * Returns when the record's exchange took place on our clocks; `undefined` if its tokens came from a sign-in. A record that
 * was just seen to change is new whatever its dates say, because another machine's clock may differ; otherwise a date in the
 * future says nothing.
 */
export function momentOfExchange(
  { obtainedAt, renewed }: SessionRecord,
  source: RecordSource,
  { now, monotonic }: Context,
): Moment | undefined {
  if (!renewed) return undefined;
  if (source === "change") return { now, monotonic };
  if (source === "exchange") return { now: obtainedAt, monotonic };
  return now < obtainedAt ? undefined : { now: obtainedAt, monotonic: monotonic - (now - obtainedAt) };
}

/** Returns the lifetime of the access token in milliseconds; infinity if its expiry is unknown. */
export const lifetimeOf = ({ tokens, obtainedAt }: SessionRecord): number =>
  Math.max(0, (tokens?.expiresAt ?? Number.POSITIVE_INFINITY) - obtainedAt);

/** Returns whether the access token is due for renewal: by its expiry, or because it is missing or was rejected. */
export function isDue(session: Session, ctx: Context): boolean {
  const { record } = session;
  if (!record?.tokens || !isRenewable(session, ctx)) return false;
  if (record.tokens.accessToken === session.rejected || record.tokens.accessToken === "") return true;
  if (clockCooldown(session, record, ctx) > 0) return false;
  if (record.tokens.expiresAt === undefined) return isExpiryUnknown(record);
  return validFor(session, record, ctx) <= windowOf(record, ctx);
}

/** Returns whether the access token may expire at any time, as far as is known. That of an exchange is trusted. */
export const isExpiryUnknown = (record: SessionRecord | undefined): boolean =>
  record?.tokens?.expiresAt === undefined && !record?.renewed && rotationOf(record) === 0;

/**
 * Returns whether the access token is valid for less than `minValidity` milliseconds. Not if it is so new that another one
 * would hardly be valid for longer.
 */
export function isTooShort(session: Session, minValidity: number, ctx: Context): boolean {
  const { record } = session;
  if (!record || minValidity === 0 || validFor(session, record, ctx) >= minValidity) return false;
  const spare = lifetimeOf(record) - minValidity; // a new token is too short after so many milliseconds
  const fifth = fifthOf(record);
  return newFor(session, Math.max(1_000, spare > 0 ? Math.min(spare, fifth) : fifth), ctx) <= 0;
}

/** Returns for how many milliseconds the tokens are too new for their expiry to start an exchange. */
export const clockCooldown = (session: Session, record: SessionRecord, ctx: Context): number =>
  newFor(session, Math.max(1_000, fifthOf(record)), ctx);

/** Returns for how many milliseconds the tokens are too new for their expiry to be the reason of a 401. */
export const rejectionCooldown = (session: Session, record: SessionRecord, ctx: Context): number =>
  newFor(session, Math.min(30_000, lifetimeOf(record) / 5), ctx);

/** Returns what is left of `span` since the exchange by both clocks; nothing if the wall clock was set back. */
function newFor({ exchangedAt }: Session, span: number, { now, monotonic }: Context): number {
  if (!exchangedAt || now < exchangedAt.now) return 0;
  return Math.max(0, span - Math.max(now - exchangedAt.now, monotonic - exchangedAt.monotonic));
}

/** Returns a fifth of the access token's lifetime in milliseconds; 0 if its expiry is unknown. */
const fifthOf = (record: SessionRecord): number =>
  record.tokens?.expiresAt === undefined ? 0 : lifetimeOf(record) / 5;

const windowOf = (record: SessionRecord, ctx: Context): number => Math.min(ctx.refreshWindow, fifthOf(record));

/**
 * Returns for how many milliseconds the access token is valid: by the wall clock, but at most its lifetime since this
 * manager first saw it. The wall clock may have been set back, and the monotonic clock may have stood still.
 */
const validFor = (session: Session, record: SessionRecord, ctx: Context): number =>
  Math.min(
    (record.tokens?.expiresAt ?? Number.POSITIVE_INFINITY) - ctx.now,
    lifetimeOf(record) - (ctx.monotonic - session.firstSeen),
  );

/** Returns whether both records hold the same access token of the same exchange or sign-in. */
export const hasSameAccessToken = (a: SessionRecord, b: SessionRecord | undefined): boolean =>
  a.tokens?.accessToken === b?.tokens?.accessToken && a.obtainedAt === b?.obtainedAt;
