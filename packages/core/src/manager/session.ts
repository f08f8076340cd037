import { isSameAccount, type SessionRecord } from "../record/record.ts";
import type { DeadReason, SessionState } from "../types.ts";

/** What one manager knows of its session. Never changed in place. */
export interface Session {
  /** The record as last seen; absent where there is none, or `loaded` is false. */
  readonly record?: SessionRecord | undefined;
  readonly loaded: boolean;
  /** Whose session this manager keeps: the first one that it saw or signed in. */
  readonly account?: string | undefined;
  /** Whether a renewal runs in this manager. */
  readonly renewing: boolean;
  /** The access token that a resource server refused, while it is being replaced. */
  readonly rejected?: string | undefined;
  /** Monotonic: before it, the clock alone starts no exchange. */
  readonly quietUntil: number;
  /** Monotonic: before it, a refused access token is too new for its age to be the matter. */
  readonly freshUntil: number;
  /** Monotonic: before it, no renewal starts behind a usable token, because the last one found nothing to do. */
  readonly lookAgainAt: number;
  /** The state as last announced. */
  readonly announced?: SessionState | undefined;
}

/** What of the manager's options decides. */
export interface Rules {
  readonly canRefresh: boolean;
  /** Milliseconds. */
  readonly refreshWindow: number;
  readonly background: boolean;
  readonly staleAllowed: boolean;
}

/** The rules, and what goes on around them: two clocks in milliseconds. */
export interface Conditions extends Rules {
  /** Where the session lives, for people. */
  readonly place: string;
  readonly now: number;
  readonly monotonic: number;
}

export const initialSession: Session = {
  loaded: false,
  renewing: false,
  quietUntil: Number.NEGATIVE_INFINITY,
  freshUntil: Number.NEGATIVE_INFINITY,
  lookAgainAt: Number.NEGATIVE_INFINITY,
};

/** The state of a session at a moment; `undefined` before the first load. */
export function stateOf(session: Session, by: Conditions): SessionState | undefined {
  if (!session.loaded) return undefined;
  const reason = deathOf(session, by);
  if (reason) return { status: "dead", reason };
  const { record } = session;
  const expiresAt = record?.tokens?.expiresAt;
  const usable = record !== undefined && isUsable(session, record, by);
  if (session.renewing || record?.attempt?.status === "claimed") return { status: "refreshing", expiresAt, usable };
  return isDue(session, by) ? { status: "near-expiry", expiresAt, usable } : { status: "valid", expiresAt };
}

/**
 * Until when, in epoch milliseconds, the access token can be handed out without a look at anything else: the way of
 * nearly every call. Minus infinity where each call has to look.
 */
export function validUntil(session: Session, by: Conditions): number {
  const { record } = session;
  const atAnyTime = { ...by, now: Number.NEGATIVE_INFINITY, monotonic: Number.NEGATIVE_INFINITY };
  if (!record?.tokens || stateOf(session, atAnyTime)?.status !== "valid") return Number.NEGATIVE_INFINITY;
  const { expiresAt = Number.POSITIVE_INFINITY } = record.tokens;
  return isRenewable(session, by) ? windowStart(record, expiresAt, by) : expiresAt;
}

/** Why there is nothing to refresh with, if that is so. */
export function deathOf(session: Session, by: Conditions): DeadReason | undefined {
  const { record } = session;
  if (!record) return "no_session";
  if (!isSameAccount(session.account, record)) return "account_changed";
  if (record.dead) return record.dead.reason;
  if (!record.tokens) return "no_session";
  return isRenewable(session, by) || isUsable(session, record, by) ? undefined : "session_expired";
}

export const isRenewable = ({ record }: Session, by: Conditions): boolean =>
  by.canRefresh && record?.tokens?.refreshToken !== undefined;

/** Whether a record's access token may still be accepted, as far as we know. */
export function isUsable(session: Session, { tokens }: SessionRecord, { now }: Conditions): boolean {
  if (!tokens || tokens.accessToken === session.rejected) return false;
  return tokens.expiresAt === undefined || now < tokens.expiresAt;
}

/** From when to when the access token lives, in milliseconds; `undefined` where nobody said. */
export const lifetimeOf = ({ tokens, obtainedAt }: SessionRecord): number | undefined =>
  tokens?.expiresAt === undefined ? undefined : Math.max(0, tokens.expiresAt - obtainedAt);

/** Whether the clock says that the access token should be renewed. */
export function isDue(session: Session, by: Conditions): boolean {
  const { record } = session;
  if (!record?.tokens || !isRenewable(session, by)) return false;
  if (record.tokens.accessToken === session.rejected) return true;
  if (by.monotonic < session.quietUntil) return false;
  if (record.tokens.expiresAt === undefined) return !record.renewed;
  return by.now >= windowStart(record, record.tokens.expiresAt, by);
}

const windowStart = (record: SessionRecord, expiresAt: number, by: Conditions): number =>
  expiresAt - Math.min(by.refreshWindow, (lifetimeOf(record) ?? 0) / 5);
