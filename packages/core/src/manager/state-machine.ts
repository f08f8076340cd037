import { RefreshFailedError, SignInRequiredError, UnexpiredError } from "../errors.ts";
import { isOutdated, isSameAccount, type SessionRecord } from "../record/record.ts";
import { CHECK_INTERVAL, type RecordSource, type RenewalReason } from "../refresh/renewal.ts";
import type { DeadReason, SessionEvent, SessionState, TokenSet } from "../types.ts";
import { type Context, deadReasonOf, isRenewable, lifetimeOf, type Session, stateOf } from "./session.ts";

/** What a caller has been through already, so that nobody goes in circles. */
export interface Progress {
  readonly loaded?: boolean;
  readonly renewed?: boolean;
  readonly failure?: unknown;
}

/** `undefined`: there is no record. */
type RecordObserved = {
  readonly type: "record-observed";
  readonly record: SessionRecord | undefined;
  readonly source: RecordSource;
};
/** A caller wants a token; `refresh`: a newer one, whatever the clock says. */
type Requested = { readonly type: "token-requested"; readonly refresh: boolean; readonly progress: Progress };
/** A resource server refused this access token. */
type Rejected = { readonly type: "token-rejected"; readonly accessToken: string; readonly progress: Progress };

export type Event =
  | RecordObserved
  | Requested
  | Rejected
  | { readonly type: "renewal-started" }
  /** `brought`: it changed something. */
  | { readonly type: "renewal-ended"; readonly changed: boolean };

export type Effect =
  /** Read the store, then ask again. */
  | { readonly do: "load" }
  /** Start a renewal, or join the one that runs; `wait` for it, then ask again. */
  | { readonly do: "renew"; readonly reason: RenewalReason; readonly wait: boolean }
  /** Hand the tokens to the caller. */
  | { readonly do: "resolve" }
  /** Reject the caller. */
  | { readonly do: "reject"; readonly error: unknown }
  | { readonly do: "announce"; readonly event: SessionEvent };

export interface Step {
  readonly session: Session;
  readonly effects: readonly Effect[];
}

/** The whole state machine: what an event makes of a session, and what is to be done about it. Pure. */
export function transition(session: Session, event: Event, ctx: Context): Step {
  const step = react(session, event, ctx);
  const state = stateOf(step.session, ctx);
  const before = step.session.announced;
  if (!state || (before && stateName(before) === stateName(state))) return step;
  const announcement: Effect = { do: "announce", event: { type: "state-changed", state } };
  return { session: { ...step.session, announced: state }, effects: [announcement, ...step.effects] };
}

const stateName = (state: SessionState): string => (state.status === "dead" ? state.reason : state.status);

function react(session: Session, event: Event, ctx: Context): Step {
  switch (event.type) {
    case "record-observed":
      return onRecordObserved(session, event, ctx);
    case "token-requested":
      return {
        session,
        effects: event.refresh
          ? onRefresh(session, event.progress, ctx)
          : onTokenRequested(session, event.progress, ctx),
      };
    case "token-rejected":
      return onRejection(session, event, ctx);
    case "renewal-started":
      return { session: { ...session, isRenewing: true }, effects: [] };
    case "renewal-ended": {
      const nextCheckAt = event.changed ? Number.NEGATIVE_INFINITY : ctx.monotonic + CHECK_INTERVAL;
      return { session: { ...session, isRenewing: false, rejected: undefined, nextCheckAt }, effects: [] };
    }
  }
}

function onRecordObserved(session: Session, { record, source }: RecordObserved, ctx: Context): Step {
  // Seen late, or put back by a foreign program: the next renewal restores ours.
  if (source !== "sign-in" && isOutdatedRecord(session, record)) return { session, effects: [] };
  const account = source === "sign-in" ? record?.account : (session.account ?? record?.account);
  const next: Session = { ...session, record, isLoaded: true, account };
  if (!record?.tokens || isSameTokens(record.tokens, record.obtainedAt, session)) return { session: next, effects: [] };
  const age = source === "store" ? ctx.now - record.obtainedAt : 0;
  const isTheirs = source === "store" || source === "change";
  const isAdopted = isTheirs && session.record?.tokens !== undefined && isSameAccount(account, record);
  return {
    session: { ...next, rejected: undefined, ...cooldowns(record, age, ctx) },
    effects: isAdopted
      ? [{ do: "announce", event: { type: "tokens-adopted", expiresAt: record.tokens.expiresAt } }]
      : [],
  };
}

/** Another account's is no older version of ours. */
const isOutdatedRecord = (session: Session, record: SessionRecord | undefined): boolean =>
  record !== undefined && isSameAccount(session.account, record) && isOutdated(record, session.record);

const isSameTokens = (tokens: TokenSet, obtainedAt: number, { record }: Session): boolean =>
  record?.tokens?.accessToken === tokens.accessToken &&
  record.tokens.refreshToken === tokens.refreshToken &&
  record.obtainedAt === obtainedAt;

/** Tokens that came from an exchange `age` milliseconds ago are not renewed by the clock, nor by a 401, for a while. */
function cooldowns(
  record: SessionRecord,
  age: number,
  ctx: Context,
): Pick<Session, "noClockRefreshUntil" | "noRejectionRefreshUntil"> {
  const fifth = (lifetimeOf(record) ?? Number.POSITIVE_INFINITY) / 5;
  const until = (span: number) =>
    record.renewed && age >= 0 && age < span ? ctx.monotonic + span - age : Number.NEGATIVE_INFINITY;
  return {
    noClockRefreshUntil: until(Number.isFinite(fifth) ? Math.max(1_000, fifth) : 1_000),
    noRejectionRefreshUntil: until(Math.min(30_000, fifth)),
  };
}

const LOAD: readonly Effect[] = [{ do: "load" }];
const RESOLVE: readonly Effect[] = [{ do: "resolve" }];
const RESOLVE_AND_RENEW: readonly Effect[] = [{ do: "renew", reason: "clock", wait: false }, ...RESOLVE];
const renewFirst = (reason: RenewalReason): readonly Effect[] => [{ do: "renew", reason, wait: true }];
const reject = (error: unknown): readonly Effect[] => [{ do: "reject", error }];

function onTokenRequested(session: Session, progress: Progress, ctx: Context): readonly Effect[] {
  const state = stateOf(session, ctx);
  if (state?.status === "valid") return RESOLVE;
  if (state === undefined || state.status === "dead") return onNoSession(state?.reason, progress, ctx);
  const { failure } = progress;
  if (state.usable) return failure !== undefined || progress.renewed ? RESOLVE : onUsable(session, ctx);
  if (failure === undefined) return renewFirst("clock");
  return isStaleAllowed(failure, ctx) ? RESOLVE : reject(failure);
}

/** The token can be handed out, and should be renewed: behind it, unless its end is unknown or nobody wants that. */
function onUsable(session: Session, ctx: Context): readonly Effect[] {
  if (!isRenewable(session, ctx)) return RESOLVE;
  const isEndKnown = session.record?.renewed || session.record?.tokens?.expiresAt !== undefined;
  if (!isEndKnown || !ctx.background) return renewFirst("clock");
  return session.isRenewing || ctx.monotonic < session.nextCheckAt ? RESOLVE : RESOLVE_AND_RENEW;
}

/** Nothing is loaded, or the session is dead as far as we know: somebody may have signed in meanwhile. */
function onNoSession(reason: DeadReason | undefined, progress: Progress, ctx: Context): readonly Effect[] {
  if (progress.failure !== undefined) return reject(progress.failure);
  return progress.loaded && reason ? reject(new SignInRequiredError(reason, ctx.location)) : LOAD;
}

const isStaleAllowed = (failure: unknown, ctx: Context): boolean =>
  ctx.staleIfError && UnexpiredError.is(failure) && failure.code === "REFRESH_FAILED";

function onRefresh(session: Session, progress: Progress, ctx: Context): readonly Effect[] {
  if (progress.failure !== undefined) return reject(progress.failure);
  const reason = deadReasonOf(session, ctx) ?? (isRenewable(session, ctx) ? undefined : "session_expired");
  if (!session.isLoaded || reason) return onNoSession(session.isLoaded ? reason : undefined, progress, ctx);
  return progress.renewed ? RESOLVE : renewFirst("call");
}

function onRejection(session: Session, { accessToken, progress }: Rejected, ctx: Context): Step {
  const stay = (effects: readonly Effect[]): Step => ({ session, effects });
  if (!session.isLoaded || session.record?.tokens?.accessToken !== accessToken)
    return stay(onTokenRequested(session, progress, ctx));
  if (progress.failure !== undefined) return stay(reject(progress.failure));
  if (!progress.loaded && !session.isRenewing) return stay(LOAD);
  const rejected: Session = { ...session, rejected: accessToken };
  const reason = deadReasonOf(rejected, ctx);
  if (reason) return stay(reject(new SignInRequiredError(reason, ctx.location)));
  const fresh = session.noRejectionRefreshUntil - ctx.monotonic;
  if (fresh <= 0 && !progress.renewed) return { session: rejected, effects: renewFirst("rejection") };
  const retryAt = ctx.now + Math.max(0, Math.round(fresh));
  return stay(reject(new RefreshFailedError(retryAt, { reason: "just_obtained" })));
}
