import { RefreshFailedError, SignInRequiredError, UnexpiredError } from "../errors.ts";
import { compareRotations, isOutdated, isSameAccount, isSpentIn, type SessionRecord } from "../record/record.ts";
import { maxDelay } from "../refresh/backoff.ts";
import { CHECK_INTERVAL, type RecordSource, type RenewalGoal, type RenewalReason } from "../refresh/renewal.ts";
import { toError } from "../token-endpoint/error-response.ts";
import type { SessionEvent, SessionState } from "../types.ts";
import type { Moment } from "../util/clock.ts";
import {
  type Context,
  deadReasonOf,
  hasSameAccessToken,
  isExpiryUnknown,
  isRenewable,
  isStale,
  isTooShort,
  momentOfExchange,
  rejectionCooldown,
  type Session,
  stateOf,
  verdictOf,
} from "./session.ts";

/** The steps already taken for a caller; prevents loops. */
export interface Progress {
  readonly loaded?: boolean;
  /** The number of renewals that changed the session. */
  readonly renewals?: number;
  readonly failure?: unknown;
}

/** A record was loaded or saved; `undefined` if none is stored. */
type RecordObserved = {
  readonly type: "record-observed";
  readonly record: SessionRecord | undefined;
  readonly source: RecordSource;
};
/** A caller requested tokens; with `refresh`, new ones regardless of expiry. */
type Requested = {
  readonly type: "token-requested";
  readonly refresh: boolean;
  /** For how many milliseconds the access token has to stay valid. Default 0. */
  readonly minValidity?: number | undefined;
  readonly progress: Progress;
};
/** A resource server rejected this access token. */
type Rejected = { readonly type: "token-rejected"; readonly accessToken: string; readonly progress: Progress };

/** A caller's request for tokens. */
export type TokenRequest = Omit<Requested, "progress"> | Omit<Rejected, "progress">;

/** `changed`: whether the renewal changed the session. `failure`: what it threw, if it failed. */
type RenewalEnded = { readonly type: "renewal-ended"; readonly changed: boolean; readonly failure?: unknown };

export type Event = RecordObserved | Requested | Rejected | { readonly type: "renewal-started" } | RenewalEnded;

/** Why to renew, and what for. */
export type Renew = Omit<RenewalGoal, "replacing">;

export type Effect =
  /** Load the record, then dispatch the request again. */
  | { readonly do: "load" }
  /** Load the record in the background. */
  | { readonly do: "look" }
  /** Start a renewal or join the current one. With `wait`, wait for it and dispatch the request again. */
  | (Renew & { readonly do: "renew"; readonly wait: boolean })
  /** Return the tokens to the caller. */
  | { readonly do: "resolve" }
  /** Reject the caller's request. */
  | { readonly do: "reject"; readonly error: unknown }
  | { readonly do: "announce"; readonly event: SessionEvent };

export interface Step {
  readonly session: Session;
  readonly effects: readonly Effect[];
}

/** Applies an event to a session and returns the new session and the effects to run. A pure function. */
export function transition(session: Session, event: Event, ctx: Context): Step {
  const step = react(session, event, ctx);
  const state = stateOf(step.session, ctx);
  const before = step.session.announced;
  if (!state || (before && stateName(before) === stateName(state))) return step;
  const cause = "reason" in state ? step.session.record?.dead?.response : undefined;
  const announcement: Effect = { do: "announce", event: { type: "state-changed", state, ...(cause && { cause }) } };
  return { session: { ...step.session, announced: state }, effects: [announcement, ...step.effects] };
}

const stateName = (state: SessionState): string =>
  "reason" in state ? `${state.status} ${state.reason}` : state.status;

function react(session: Session, event: Event, ctx: Context): Step {
  switch (event.type) {
    case "record-observed":
      return onRecordObserved(session, event, ctx);
    case "token-requested":
      if (event.refresh) return { session, effects: onRefresh(session, event.progress, ctx) };
      return lookIfStale({ session, effects: onTokenRequested(session, event, ctx) }, ctx);
    case "token-rejected":
      return onRejection(session, event, ctx);
    case "renewal-started":
      return { session: { ...session, isRenewing: true }, effects: [] };
    case "renewal-ended":
      return onRenewalEnded(session, event, ctx);
  }
}

/** Announces a failure of the store. The protocol has already announced those of the token endpoint. */
function onRenewalEnded(session: Session, { changed, failure }: RenewalEnded, ctx: Context): Step {
  const code = UnexpiredError.is(failure) && failure.code.startsWith("STORE_") ? failure.code : undefined;
  const storeFailures = code ? session.storeFailures + 1 : 0;
  const pause = storeFailures > 0 ? maxDelay(storeFailures) : CHECK_INTERVAL;
  const nextCheckAt = changed ? Number.NEGATIVE_INFINITY : ctx.monotonic + pause;
  return {
    session: { ...session, isRenewing: false, rejected: stillRejected(session), nextCheckAt, storeFailures },
    effects: code ? [{ do: "announce", event: { type: "refresh-failed", code, retryAt: undefined } }] : [],
  };
}

/** A token that was rejected is tried again if it could not be replaced, but not if it never will be. */
const stillRejected = ({ record, rejected }: Session): string | undefined => (record?.dead ? rejected : undefined);

function onRecordObserved(session: Session, { record, source }: RecordObserved, ctx: Context): Step {
  // A late load, or another program restored an old record; in that case the next renewal saves ours again.
  if (source !== "sign-in" && isOutdatedRecord(session, record)) return { session, effects: [] };
  const account = source === "sign-in" ? record?.account : (session.account ?? record?.account);
  const next: Session = { ...session, record, isLoaded: true, account, lookedAt: momentOf(ctx) };
  if (!record?.tokens) return { session: next, effects: [] };
  if (hasSameAccessToken(record, session.seen)) return { session: { ...next, seen: record }, effects: [] };
  const exchangedAt = momentOfExchange(record, source, ctx);
  const adopted = isAdopted(session, record, source) ? [announceAdoption(record)] : [];
  const { monotonic } = ctx;
  return {
    session: { ...next, rejected: undefined, seen: record, firstSeen: monotonic, exchangedAt },
    effects: adopted,
  };
}

/** Returns whether another process has replaced our access token. */
function isAdopted(session: Session, record: SessionRecord, source: RecordSource): boolean {
  const isExternal = source === "store" || source === "change";
  const account = session.account ?? record.account;
  return isExternal && session.record?.tokens !== undefined && !record.dead && isSameAccount(account, record);
}

const announceAdoption = ({ tokens }: SessionRecord): Effect => ({
  do: "announce",
  event: { type: "tokens-adopted", expiresAt: tokens?.expiresAt },
});

/** A record of another account counts as an older version of the one that is known only if both are of one session. */
export const isOutdatedRecord = ({ account, record: known }: Session, record: SessionRecord | undefined): boolean =>
  record !== undefined &&
  known !== undefined &&
  (isSameAccount(account, record)
    ? isOutdated(record, known)
    : compareRotations(record, known) < 0 && !isSpentIn(record, known));

/** Returns a record that was saved, or the later one that is known by now. If that is of another account, ours has changed. */
export function latestOf(session: Session, saved: SessionRecord | undefined): SessionRecord | undefined {
  const { record: known } = session;
  return known && isOutdatedRecord(session, saved) && isSameAccount(saved?.account, known) ? known : saved;
}

const LOAD: readonly Effect[] = [{ do: "load" }];
const RESOLVE: readonly Effect[] = [{ do: "resolve" }];
const LOOK_AND_RESOLVE: readonly Effect[] = [{ do: "look" }, ...RESOLVE];
const RESOLVE_AND_RENEW: readonly Effect[] = [{ do: "renew", reason: "clock", wait: false }, ...RESOLVE];
const renewFirst = (reason: RenewalReason, minValidity?: number): readonly Effect[] => [
  { do: "renew", reason, minValidity, wait: true },
];
const reject = (error: unknown): readonly Effect[] => [{ do: "reject", error }];

/** Starts a background load if the token would be returned without one and the last load is stale. */
const lookIfStale = ({ session, effects }: Step, ctx: Context): Step =>
  effects === RESOLVE && isStale(session, ctx)
    ? { session: { ...session, lookedAt: momentOf(ctx) }, effects: LOOK_AND_RESOLVE }
    : { session, effects };

const momentOf = ({ now, monotonic }: Context): Moment => ({ now, monotonic });

/** A request for tokens, regardless of why. */
type Asked = Pick<Requested, "minValidity" | "progress">;

function onTokenRequested(session: Session, { progress, minValidity }: Asked, ctx: Context): readonly Effect[] {
  const state = stateOf(session, ctx);
  if (state === undefined || state.status === "dead") return onNoSession(session, progress, ctx);
  const { failure } = progress;
  if (state.status === "valid" || state.usable)
    return failure !== undefined || progress.renewals ? RESOLVE : onUsable(session, minValidity, ctx);
  if (failure === undefined) return renewExpired(progress, minValidity, ctx);
  return session.record?.tokens?.accessToken && isStaleAllowed(failure, ctx) ? RESOLVE : reject(failure);
}

const ARRIVED_EXPIRED =
  "two access tokens in a row had expired when they arrived. Check the lifetime that the server grants, and the clock of this machine";

/** A call may renew twice: if the machine slept during the first exchange, the new token arrived expired. */
function renewExpired(
  { renewals = 0 }: Progress,
  minValidity: number | undefined,
  { now }: Context,
): readonly Effect[] {
  if (renewals < 2) return renewFirst("clock", minValidity);
  return reject(new RefreshFailedError(now, { cause: new Error(ARRIVED_EXPIRED) }));
}

/**
 * Handles a token that is usable: renews it first if it does not stay valid for as long as the caller needs. If it is due,
 * renews in the background, unless the option is off or the expiry is unknown. Leaves a store that has failed alone for a
 * while.
 */
function onUsable(session: Session, minValidity: number | undefined, ctx: Context): readonly Effect[] {
  const isEarly = ctx.monotonic < session.nextCheckAt;
  if (!isRenewable(session, ctx) || (isEarly && session.storeFailures > 0)) return RESOLVE;
  if (isTooShort(session, minValidity ?? 0, ctx)) return renewFirst("clock", minValidity);
  if (stateOf(session, ctx)?.status === "valid") return RESOLVE;
  if (isExpiryUnknown(session.record) || !ctx.background) return renewFirst("clock");
  return session.isRenewing || isEarly ? RESOLVE : RESOLVE_AND_RENEW;
}

/** Nothing is loaded, or the session is known to have ended. Loads first, because another process may have signed in. */
function onNoSession(session: Session, progress: Progress, ctx: Context): readonly Effect[] {
  if (progress.failure !== undefined) return reject(progress.failure);
  return progress.loaded && session.isLoaded ? reject(signInRequired(session, ctx)) : LOAD;
}

/** Returns the error for a session that has ended or cannot be refreshed, with what the server said about it. */
function signInRequired(session: Session, ctx: Context): SignInRequiredError {
  const { record } = session;
  const reason = deadReasonOf(session, ctx) ?? verdictOf(record) ?? "session_expired";
  return new SignInRequiredError(reason, ctx.location, { cause: toError(record?.dead?.response) });
}

const isStaleAllowed = (failure: unknown, ctx: Context): boolean =>
  ctx.staleIfError && UnexpiredError.is(failure) && failure.code === "REFRESH_FAILED";

function onRefresh(session: Session, progress: Progress, ctx: Context): readonly Effect[] {
  if (progress.failure !== undefined) return reject(progress.failure);
  const isAlive = session.isLoaded && deadReasonOf(session, ctx) === undefined && isRenewable(session, ctx);
  if (isAlive) return progress.renewals ? RESOLVE : renewFirst("call");
  const canTry = progress.loaded && !progress.renewals && keepsRefreshToken(session, ctx);
  return canTry ? renewFirst("call") : onNoSession(session, progress, ctx);
}

/** Returns whether the server may accept the refresh token again, for example after its user has interacted with it. */
const keepsRefreshToken = ({ record, account }: Session, { canRefresh }: Context): boolean =>
  canRefresh && record?.tokens?.refreshToken !== undefined && isSameAccount(account, record);

function onRejection(session: Session, { accessToken, progress }: Rejected, ctx: Context): Step {
  const stay = (effects: readonly Effect[]): Step => ({ session, effects });
  if (!session.isLoaded || session.record?.tokens?.accessToken !== accessToken)
    return lookIfStale(stay(onTokenRequested(session, { progress }, ctx)), ctx);
  if (progress.failure !== undefined) return stay(reject(progress.failure));
  if (!progress.loaded && !session.isRenewing) return stay(LOAD);
  const rejected: Session = { ...session, rejected: accessToken };
  if (deadReasonOf(rejected, ctx)) {
    const ended = { ...(session.record.dead ? rejected : session), unrenewable: accessToken };
    return { session: ended, effects: reject(signInRequired(rejected, ctx)) };
  }
  const cooldown = rejectionCooldown(session, session.record, ctx);
  if (cooldown <= 0 && !progress.renewals) return { session: rejected, effects: renewFirst("rejection") };
  const retryAt = ctx.now + Math.round(cooldown);
  return stay(reject(new RefreshFailedError(retryAt, { reason: "just_obtained" })));
}
