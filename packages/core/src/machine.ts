import { RefreshFailedError, SignInRequiredError, UnexpiredError } from "./errors.ts";
import type { SessionRecord } from "./record.ts";
import type { DeadReason, SessionEvent, SessionState } from "./types.ts";

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

/** What of the manager's options the machine decides by. */
export interface Rules {
  readonly canRefresh: boolean;
  /** Milliseconds. */
  readonly refreshWindow: number;
  readonly background: boolean;
  readonly staleAllowed: boolean;
}

/** Two clocks, both in milliseconds. */
export interface Time {
  readonly now: number;
  readonly monotonic: number;
}

/** What a caller has been through already, so that nobody goes in circles. */
export interface Tried {
  readonly loaded?: boolean;
  readonly renewed?: boolean;
  readonly failure?: unknown;
}

/** How a record came to be seen: in the store, at some time or just after it had changed; by our exchange; by a sign-in. */
export type Sighting = "store" | "change" | "exchange" | "sign-in";

export type Event =
  | { readonly type: "seen"; readonly record: SessionRecord | undefined; readonly by: Sighting }
  /** A caller wants a token; `refresh`: a newer one, whatever the clock says. */
  | { readonly type: "asked"; readonly refresh: boolean; readonly tried: Tried }
  /** A resource server refused this access token. */
  | { readonly type: "rejected"; readonly accessToken: string; readonly tried: Tried }
  | { readonly type: "renewal-started" }
  /** `brought`: it changed something. */
  | { readonly type: "renewal-ended"; readonly brought: boolean };

export type Effect =
  /** Read the store, then ask again. */
  | { readonly do: "load" }
  /** Start a renewal, or join the one that runs. `urgent`: somebody waits for it. */
  | { readonly do: "renew"; readonly because: "clock" | "call" | "rejection"; readonly urgent: boolean }
  /** Wait for the renewal, then ask again. */
  | { readonly do: "wait" }
  /** Hand the tokens to the caller. */
  | { readonly do: "give" }
  /** Reject the caller. */
  | { readonly do: "refuse"; readonly error: unknown }
  | { readonly do: "announce"; readonly event: SessionEvent };

export interface Step {
  readonly session: Session;
  readonly effects: readonly Effect[];
}

export const initialSession: Session = {
  loaded: false,
  renewing: false,
  quietUntil: Number.NEGATIVE_INFINITY,
  freshUntil: Number.NEGATIVE_INFINITY,
  lookAgainAt: Number.NEGATIVE_INFINITY,
};

const LOOK_INTERVAL = 100;

/** The whole state machine: what an event makes of a session, and what is to be done about it. Pure. */
export function transition(session: Session, event: Event, rules: Rules, time: Time): Step {
  const step = react(session, event, rules, time);
  const state = stateOf(step.session, rules, time);
  const before = step.session.announced;
  if (!state || (before && describe(before) === describe(state))) return step;
  const announcement: Effect = { do: "announce", event: { type: "state-changed", state } };
  return { session: { ...step.session, announced: state }, effects: [announcement, ...step.effects] };
}

const describe = (state: SessionState): string => (state.status === "dead" ? state.reason : state.status);

function react(session: Session, event: Event, rules: Rules, time: Time): Step {
  switch (event.type) {
    case "seen":
      return seen(session, event.record, event.by, time);
    case "asked":
      return { session, effects: event.refresh ? onRefresh(session, event.tried, rules, time) : onAsk(session, event.tried, rules, time) };
    case "rejected":
      return onRejection(session, event.accessToken, event.tried, rules, time);
    case "renewal-started":
      return { session: { ...session, renewing: true }, effects: [] };
    case "renewal-ended":
      return { session: ended(session, event.brought, time), effects: [] };
  }
}

const ended = (session: Session, brought: boolean, time: Time): Session => ({
  ...session,
  renewing: false,
  rejected: undefined,
  lookAgainAt: brought ? Number.NEGATIVE_INFINITY : time.monotonic + LOOK_INTERVAL,
});

/** The state of a session at a moment; `undefined` before the first load. */
export function stateOf(session: Session, rules: Rules, time: Time): SessionState | undefined {
  if (!session.loaded) return undefined;
  const reason = deathOf(session, rules, time);
  if (reason) return { status: "dead", reason };
  const expiresAt = session.record?.tokens?.expiresAt;
  const usable = session.record !== undefined && isUsable(session, session.record, time);
  if (session.renewing || session.record?.attempt?.status === "claimed") return { status: "refreshing", expiresAt, usable };
  return isDue(session, rules, time) ? { status: "near-expiry", expiresAt, usable } : { status: "valid", expiresAt };
}

/**
 * Until when, in epoch milliseconds, the access token can be handed out without a look at anything else: the way of
 * nearly every call. Minus infinity where each call has to look.
 */
export function validUntil(session: Session, rules: Rules): number {
  const tokens = session.record?.tokens;
  const state = stateOf(session, rules, { now: Number.NEGATIVE_INFINITY, monotonic: Number.NEGATIVE_INFINITY });
  if (!session.record || !tokens || state?.status !== "valid") return Number.NEGATIVE_INFINITY;
  if (tokens.expiresAt === undefined) return Number.POSITIVE_INFINITY;
  return isRenewable(session, rules) ? windowStart(session.record, tokens.expiresAt, rules) : tokens.expiresAt;
}

/** Whether a record belongs to the account that the manager keeps. Unknown accounts are not told apart. */
export const isSameAccount = (account: string | undefined, record: SessionRecord): boolean =>
  account === undefined || record.account === undefined || account === record.account;

function deathOf(session: Session, rules: Rules, time: Time): DeadReason | undefined {
  const { record } = session;
  if (!record) return "no_session";
  if (!isSameAccount(session.account, record)) return "account_changed";
  if (record.dead) return record.dead.reason;
  if (!record.tokens) return "no_session";
  if (!isRenewable(session, rules) && !isUsable(session, record, time)) return "session_expired";
  return undefined;
}

const isRenewable = ({ record }: Session, rules: Rules): boolean =>
  rules.canRefresh && record?.tokens?.refreshToken !== undefined;

const lifetimeOf = (record: SessionRecord): number | undefined =>
  record.tokens?.expiresAt === undefined ? undefined : Math.max(0, record.tokens.expiresAt - record.obtainedAt);

/** Whether a record's access token may still be accepted, as far as we know. */
export function isUsable(session: Session, record: SessionRecord, { now, monotonic }: Time): boolean {
  const { tokens } = record;
  if (!tokens || tokens.accessToken === session.rejected) return false;
  const isQuiet = tokens.accessToken === session.record?.tokens?.accessToken && monotonic < session.quietUntil;
  return tokens.expiresAt === undefined || now < tokens.expiresAt || isQuiet;
}

/** Whether the clock says that the access token should be renewed. */
function isDue(session: Session, rules: Rules, { now, monotonic }: Time): boolean {
  const { record } = session;
  if (!record?.tokens || !isRenewable(session, rules)) return false;
  if (record.tokens.accessToken === session.rejected) return true;
  if (monotonic < session.quietUntil) return false;
  if (record.tokens.expiresAt === undefined) return !record.renewed;
  return now >= windowStart(record, record.tokens.expiresAt, rules);
}

const windowStart = (record: SessionRecord, expiresAt: number, rules: Rules): number =>
  expiresAt - Math.min(rules.refreshWindow, (lifetimeOf(record) ?? 0) / 5);

function seen(session: Session, record: SessionRecord | undefined, by: Sighting, time: Time): Step {
  const account = by === "sign-in" ? record?.account : (session.account ?? record?.account);
  const same = record?.tokens?.accessToken === session.record?.tokens?.accessToken;
  const next: Session = { ...session, record, loaded: true, account };
  if (same || !record?.tokens) return { session: next, effects: [] };
  const age = by === "store" ? time.now - record.obtainedAt : 0;
  return {
    session: { ...next, rejected: undefined, ...protectedUntil(record, age, time) },
    effects:
      (by === "store" || by === "change") && session.record?.tokens && isSameAccount(account, record)
        ? [{ do: "announce", event: { type: "adopted", expiresAt: record.tokens.expiresAt } }]
        : [],
  };
}

/** DESIGN's two brakes, for tokens that came from an exchange `age` milliseconds ago. */
function protectedUntil(record: SessionRecord, age: number, { monotonic }: Time): Pick<Session, "quietUntil" | "freshUntil"> {
  const fifth = (lifetimeOf(record) ?? Number.POSITIVE_INFINITY) / 5;
  const until = (span: number) =>
    record.renewed && age >= 0 && age < span ? monotonic + span - age : Number.NEGATIVE_INFINITY;
  return {
    quietUntil: until(Number.isFinite(fifth) ? Math.max(1_000, fifth) : 1_000),
    freshUntil: until(Math.min(30_000, fifth)),
  };
}

const LOAD: readonly Effect[] = [{ do: "load" }];
const GIVE: readonly Effect[] = [{ do: "give" }];
const refuse = (error: unknown): readonly Effect[] => [{ do: "refuse", error }];
const RENEW_BEHIND: readonly Effect[] = [{ do: "renew", because: "clock", urgent: false }, ...GIVE];
const renewAndWait = (because: "clock" | "call" | "rejection"): readonly Effect[] => [
  { do: "renew", because, urgent: true },
  { do: "wait" },
];

function onAsk(session: Session, tried: Tried, rules: Rules, time: Time): readonly Effect[] {
  const state = stateOf(session, rules, time);
  if (state?.status === "valid") return GIVE;
  if (state === undefined || state.status === "dead") return onNothing(state?.reason, tried);
  if (tried.failure !== undefined) {
    return state.usable || isStaleAllowed(tried.failure, rules) ? GIVE : refuse(tried.failure);
  }
  if (!state.usable) return renewAndWait("clock");
  if (state.expiresAt === undefined || !rules.background) return tried.renewed ? GIVE : renewAndWait("clock");
  return session.renewing || time.monotonic < session.lookAgainAt ? GIVE : RENEW_BEHIND;
}

/** Nothing is loaded, or the session is dead as far as we know: somebody may have signed in meanwhile. */
function onNothing(reason: DeadReason | undefined, tried: Tried): readonly Effect[] {
  if (tried.failure !== undefined) return refuse(tried.failure);
  return tried.loaded && reason ? refuse(new SignInRequiredError(reason)) : LOAD;
}

const isStaleAllowed = (failure: unknown, rules: Rules): boolean =>
  rules.staleAllowed && UnexpiredError.is(failure) && failure.code === "REFRESH_FAILED";

function onRefresh(session: Session, tried: Tried, rules: Rules, time: Time): readonly Effect[] {
  if (tried.failure !== undefined) return refuse(tried.failure);
  const reason = deathOf(session, rules, time) ?? (isRenewable(session, rules) ? undefined : "session_expired");
  if (!session.loaded || reason) return onNothing(session.loaded ? reason : undefined, tried);
  return tried.renewed ? GIVE : renewAndWait("call");
}

function onRejection(session: Session, accessToken: string, tried: Tried, rules: Rules, time: Time): Step {
  const stay = (effects: readonly Effect[]): Step => ({ session, effects });
  if (!session.loaded || session.record?.tokens?.accessToken !== accessToken) return stay(onAsk(session, tried, rules, time));
  if (tried.failure !== undefined) return stay(refuse(tried.failure));
  if (!tried.loaded && !session.renewing) return stay(LOAD);
  const reason = deathOf({ ...session, rejected: accessToken }, rules, time);
  if (reason) return stay(refuse(new SignInRequiredError(reason)));
  const fresh = session.freshUntil - time.monotonic;
  if (fresh > 0 || tried.renewed) {
    const retryAt = time.now + Math.max(0, Math.round(fresh));
    return stay(refuse(new RefreshFailedError(retryAt, { because: "just_obtained" })));
  }
  return { session: { ...session, rejected: accessToken }, effects: renewAndWait("rejection") };
}
