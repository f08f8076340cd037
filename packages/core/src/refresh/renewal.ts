import type { SessionRecord } from "../record/record.ts";
import type { RecordStore } from "../record/record-store.ts";
import type { Clock, ProviderProfile, RefreshFunction, SessionEvent, TokenStore } from "../types.ts";

/**
 * The source of a record: the store (with or without a change just seen there), an exchange of our own, or a sign-in.
 */
export type RecordSource = "store" | "change" | "exchange" | "sign-in";

/** The reason for a renewal: the token's expiry, a call of `refresh()`, or a rejected token. */
export type RenewalReason = "clock" | "call" | "rejection";

/** The goal of a renewal. */
export interface RenewalGoal {
  /** The access token to replace. */
  readonly replacing: string | undefined;
  readonly reason: RenewalReason;
  /**
   * For how many milliseconds the new access token has to be valid, as far as the server grants it. May grow while the
   * renewal runs, because another caller joins.
   */
  minValidity?: number | undefined;
  /** Whether to renew only if the refresh token is about to expire. Ends if a caller joins. */
  keepAlive?: boolean | undefined;
}

/** The part of a goal that may change while the renewal runs. */
type Need = Pick<RenewalGoal, "minValidity" | "keepAlive">;

/** Returns whether a renewal with this goal fulfills another need, too. */
export const includes = (goal: RenewalGoal, { minValidity = 0, keepAlive = false }: Need): boolean =>
  (goal.minValidity ?? 0) >= minValidity && (keepAlive || !goal.keepAlive);

/** Widens the goal of a running renewal, so that it fulfills another need, too. */
export function widen(goal: RenewalGoal, { minValidity = 0, keepAlive = false }: Need): void {
  goal.minValidity = Math.max(goal.minValidity ?? 0, minValidity);
  goal.keepAlive &&= keepAlive;
}

/** The session as the manager knows it before the renewal loads the store. */
interface KnownSession {
  /** The account whose session the manager keeps. */
  readonly account?: string | undefined;
  /** The record that the manager observed last. */
  readonly record?: SessionRecord | undefined;
}

/** The settings and services that the refresh protocol uses. */
export interface RefreshDeps {
  readonly records: RecordStore;
  readonly holder: TokenStore["holder"];
  readonly refresh: RefreshFunction | undefined;
  readonly profile: ProviderProfile;
  readonly clock: Clock;
}

/** The manager as the refresh protocol sees it. The driver implements it. */
export interface RefreshHost {
  readonly session: KnownSession;
  /** Returns whether the record's access token can be handed out. */
  isUsable(record: SessionRecord): boolean;
  /** Returns whether the record's access token is due for renewal. */
  isDue(record: SessionRecord): boolean;
  /**
   * Returns whether the record does not fulfill what the goal asks for besides a usable token that is not due, so that even
   * a token that another process obtained has to be renewed.
   */
  isInsufficient(record: SessionRecord, goal: RenewalGoal): boolean;
  /** Reports the record that is now stored, or `undefined` if the store is empty. */
  observe(record: SessionRecord | undefined, source: RecordSource): void;
  /** Reports an event to the manager's listeners. */
  announce(event: SessionEvent): void;
}

/** The interval in milliseconds between checks of the store that no caller waits for. */
export const CHECK_INTERVAL = 100;
