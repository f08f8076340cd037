import { isSameAccount, type SessionRecord } from "../record/record.ts";
import type { DeadReason, SessionState } from "../types.ts";

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
  /** The monotonic time before which expiry alone does not start an exchange. */
  readonly noClockRefreshUntil: number;
  /** The monotonic time before which a rejected access token is too recent for expiry to be the cause. */
  readonly noRejectionRefreshUntil: number;
  /** The monotonic time before which no background renewal starts, because the last renewal found nothing to do or failed. */
  readonly nextCheckAt: number;
  /** How many renewals in a row have failed because of the store. */
  readonly storeFailures: number;
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
}

/** The inputs of a decision: the rules, the location, and the readings of both clocks in milliseconds. */
export interface Context extends Rules {
  /** A human-readable location of the session. */
  readonly location: string;
  readonly now: number;
  readonly monotonic: number;
}

export const initialSession: Session = {
  isLoaded: false,
  isRenewing: false,
  noClockRefreshUntil: Number.NEGATIVE_INFINITY,
  noRejectionRefreshUntil: Number.NEGATIVE_INFINITY,
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
  const usable = record !== undefined && isUsable(session, record, ctx);
  if (session.isRenewing || record?.attempt?.status === "claimed") return { status: "refreshing", expiresAt, usable };
  return isDue(session, ctx) ? { status: "near-expiry", expiresAt, usable } : { status: "valid", expiresAt };
}

/**
 * Returns the time, in epoch milliseconds, until which calls can return the access token without any further check, as
 * nearly all do. Minus infinity if every call needs the check.
 */
export function validUntil(session: Session, ctx: Context): number {
  const { record } = session;
  const atAnyTime = { ...ctx, now: Number.NEGATIVE_INFINITY, monotonic: Number.NEGATIVE_INFINITY };
  if (!record?.tokens || stateOf(session, atAnyTime)?.status !== "valid") return Number.NEGATIVE_INFINITY;
  const { expiresAt = Number.POSITIVE_INFINITY } = record.tokens;
  return isRenewable(session, ctx) ? windowStart(record, expiresAt, ctx) : expiresAt;
}

/** Returns the reason why the session cannot be used, or `undefined` if it is alive. */
export function deadReasonOf(session: Session, ctx: Context): DeadReason | undefined {
  const { record } = session;
  if (!record) return "no_session";
  if (!isSameAccount(session.account, record)) return "account_changed";
  if (record.dead) return record.dead.reason;
  if (!record.tokens) return "no_session";
  return isRenewable(session, ctx) || isUsable(session, record, ctx) ? undefined : "session_expired";
}

export const isRenewable = ({ record }: Session, ctx: Context): boolean =>
  ctx.canRefresh && record?.tokens?.refreshToken !== undefined;

/** Returns whether, as far as this manager knows, the record's access token is still accepted. */
export function isUsable(session: Session, { tokens }: SessionRecord, { now }: Context): boolean {
  if (!tokens || tokens.accessToken === session.rejected) return false;
  return tokens.expiresAt === undefined || now < tokens.expiresAt;
}

/** Returns the lifetime of the access token in milliseconds, or `undefined` if its expiry is unknown. */
export const lifetimeOf = ({ tokens, obtainedAt }: SessionRecord): number | undefined =>
  tokens?.expiresAt === undefined ? undefined : Math.max(0, tokens.expiresAt - obtainedAt);

/** Returns whether the access token is due for renewal, by its expiry or because it was rejected. */
export function isDue(session: Session, ctx: Context): boolean {
  const { record } = session;
  if (!record?.tokens || !isRenewable(session, ctx)) return false;
  if (record.tokens.accessToken === session.rejected) return true;
  if (ctx.monotonic < session.noClockRefreshUntil) return false;
  if (record.tokens.expiresAt === undefined) return !record.renewed;
  return ctx.now >= windowStart(record, record.tokens.expiresAt, ctx);
}

const windowStart = (record: SessionRecord, expiresAt: number, ctx: Context): number =>
  expiresAt - Math.min(ctx.refreshWindow, (lifetimeOf(record) ?? 0) / 5);
