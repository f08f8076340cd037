import { RefreshFailedError, SignInRequiredError, UnexpiredError } from "../errors.ts";
import { isOutdated, isSameAccount, type SessionRecord } from "../record/record.ts";
import { LOOK_INTERVAL, type RecordSource, type RenewalReason } from "../refresh/renewal.ts";
import type { DeadReason, SessionEvent, SessionState, TokenSet } from "../types.ts";
import { type Conditions, deathOf, isRenewable, lifetimeOf, type Session, stateOf } from "./session.ts";

/** What a caller has been through already, so that nobody goes in circles. */
export interface Tried {
  readonly loaded?: boolean;
  readonly renewed?: boolean;
  readonly failure?: unknown;
}

/** `undefined`: there is no record. */
type Seen = { readonly type: "seen"; readonly record: SessionRecord | undefined; readonly by: RecordSource };
/** A caller wants a token; `refresh`: a newer one, whatever the clock says. */
type Asked = { readonly type: "asked"; readonly refresh: boolean; readonly tried: Tried };
/** A resource server refused this access token. */
type Rejected = { readonly type: "rejected"; readonly accessToken: string; readonly tried: Tried };

export type Event =
  | Seen
  | Asked
  | Rejected
  | { readonly type: "renewal-started" }
  /** `brought`: it changed something. */
  | { readonly type: "renewal-ended"; readonly brought: boolean };

export type Effect =
  /** Read the store, then ask again. */
  | { readonly do: "load" }
  /** Start a renewal, or join the one that runs; `wait` for it, then ask again. */
  | { readonly do: "renew"; readonly because: RenewalReason; readonly wait: boolean }
  /** Hand the tokens to the caller. */
  | { readonly do: "give" }
  /** Reject the caller. */
  | { readonly do: "refuse"; readonly error: unknown }
  | { readonly do: "announce"; readonly event: SessionEvent };

export interface Step {
  readonly session: Session;
  readonly effects: readonly Effect[];
}

/** The whole state machine: what an event makes of a session, and what is to be done about it. Pure. */
export function transition(session: Session, event: Event, by: Conditions): Step {
  const step = react(session, event, by);
  const state = stateOf(step.session, by);
  const before = step.session.announced;
  if (!state || (before && nameOf(before) === nameOf(state))) return step;
  const announcement: Effect = { do: "announce", event: { type: "state-changed", state } };
  return { session: { ...step.session, announced: state }, effects: [announcement, ...step.effects] };
}

const nameOf = (state: SessionState): string => (state.status === "dead" ? state.reason : state.status);

function react(session: Session, event: Event, by: Conditions): Step {
  switch (event.type) {
    case "seen":
      return onSeen(session, event, by);
    case "asked":
      return {
        session,
        effects: event.refresh ? onRefresh(session, event.tried, by) : onAsk(session, event.tried, by),
      };
    case "rejected":
      return onRejection(session, event, by);
    case "renewal-started":
      return { session: { ...session, renewing: true }, effects: [] };
    case "renewal-ended": {
      const lookAgainAt = event.brought ? Number.NEGATIVE_INFINITY : by.monotonic + LOOK_INTERVAL;
      return { session: { ...session, renewing: false, rejected: undefined, lookAgainAt }, effects: [] };
    }
  }
}

function onSeen(session: Session, { record, by: source }: Seen, by: Conditions): Step {
  // Seen late, or put back by a foreign program: the next renewal restores ours.
  if (source !== "sign-in" && isOld(session, record)) return { session, effects: [] };
  const account = source === "sign-in" ? record?.account : (session.account ?? record?.account);
  const next: Session = { ...session, record, loaded: true, account };
  if (!record?.tokens || isKnown(record.tokens, record.obtainedAt, session)) return { session: next, effects: [] };
  const age = source === "store" ? by.now - record.obtainedAt : 0;
  const isTheirs = source === "store" || source === "change";
  const isAdopted = isTheirs && session.record?.tokens !== undefined && isSameAccount(account, record);
  return {
    session: { ...next, rejected: undefined, ...brakes(record, age, by) },
    effects: isAdopted ? [{ do: "announce", event: { type: "adopted", expiresAt: record.tokens.expiresAt } }] : [],
  };
}

/** Another account's is no older version of ours. */
const isOld = (session: Session, record: SessionRecord | undefined): boolean =>
  record !== undefined && isSameAccount(session.account, record) && isOutdated(record, session.record);

const isKnown = (tokens: TokenSet, obtainedAt: number, { record }: Session): boolean =>
  record?.tokens?.accessToken === tokens.accessToken &&
  record.tokens.refreshToken === tokens.refreshToken &&
  record.obtainedAt === obtainedAt;

/** Tokens that came from an exchange `age` milliseconds ago are not renewed by the clock, nor by a 401, for a while. */
function brakes(record: SessionRecord, age: number, by: Conditions): Pick<Session, "quietUntil" | "freshUntil"> {
  const fifth = (lifetimeOf(record) ?? Number.POSITIVE_INFINITY) / 5;
  const until = (span: number) =>
    record.renewed && age >= 0 && age < span ? by.monotonic + span - age : Number.NEGATIVE_INFINITY;
  return {
    quietUntil: until(Number.isFinite(fifth) ? Math.max(1_000, fifth) : 1_000),
    freshUntil: until(Math.min(30_000, fifth)),
  };
}

const LOAD: readonly Effect[] = [{ do: "load" }];
const GIVE: readonly Effect[] = [{ do: "give" }];
const RENEW_BEHIND: readonly Effect[] = [{ do: "renew", because: "clock", wait: false }, ...GIVE];
const renewFirst = (because: RenewalReason): readonly Effect[] => [{ do: "renew", because, wait: true }];
const refuse = (error: unknown): readonly Effect[] => [{ do: "refuse", error }];

function onAsk(session: Session, tried: Tried, by: Conditions): readonly Effect[] {
  const state = stateOf(session, by);
  if (state?.status === "valid") return GIVE;
  if (state === undefined || state.status === "dead") return onNothing(state?.reason, tried, by);
  const { failure } = tried;
  if (state.usable) return failure !== undefined || tried.renewed ? GIVE : onUsable(session, by);
  if (failure === undefined) return renewFirst("clock");
  return isStaleAllowed(failure, by) ? GIVE : refuse(failure);
}

/** The token can be handed out, and should be renewed: behind it, unless its end is unknown or nobody wants that. */
function onUsable(session: Session, by: Conditions): readonly Effect[] {
  if (!isRenewable(session, by)) return GIVE;
  const isEndKnown = session.record?.renewed || session.record?.tokens?.expiresAt !== undefined;
  if (!isEndKnown || !by.background) return renewFirst("clock");
  return session.renewing || by.monotonic < session.lookAgainAt ? GIVE : RENEW_BEHIND;
}

/** Nothing is loaded, or the session is dead as far as we know: somebody may have signed in meanwhile. */
function onNothing(reason: DeadReason | undefined, tried: Tried, by: Conditions): readonly Effect[] {
  if (tried.failure !== undefined) return refuse(tried.failure);
  return tried.loaded && reason ? refuse(new SignInRequiredError(reason, by.place)) : LOAD;
}

const isStaleAllowed = (failure: unknown, by: Conditions): boolean =>
  by.staleAllowed && UnexpiredError.is(failure) && failure.code === "REFRESH_FAILED";

function onRefresh(session: Session, tried: Tried, by: Conditions): readonly Effect[] {
  if (tried.failure !== undefined) return refuse(tried.failure);
  const reason = deathOf(session, by) ?? (isRenewable(session, by) ? undefined : "session_expired");
  if (!session.loaded || reason) return onNothing(session.loaded ? reason : undefined, tried, by);
  return tried.renewed ? GIVE : renewFirst("call");
}

function onRejection(session: Session, { accessToken, tried }: Rejected, by: Conditions): Step {
  const stay = (effects: readonly Effect[]): Step => ({ session, effects });
  if (!session.loaded || session.record?.tokens?.accessToken !== accessToken) return stay(onAsk(session, tried, by));
  if (tried.failure !== undefined) return stay(refuse(tried.failure));
  if (!tried.loaded && !session.renewing) return stay(LOAD);
  const rejected: Session = { ...session, rejected: accessToken };
  const reason = deathOf(rejected, by);
  if (reason) return stay(refuse(new SignInRequiredError(reason, by.place)));
  const fresh = session.freshUntil - by.monotonic;
  if (fresh <= 0 && !tried.renewed) return { session: rejected, effects: renewFirst("rejection") };
  const retryAt = by.now + Math.max(0, Math.round(fresh));
  return stay(refuse(new RefreshFailedError(retryAt, { because: "just_obtained" })));
}
