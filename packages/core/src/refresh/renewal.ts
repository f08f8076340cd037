import type { SessionRecord } from "../record/record.ts";
import type { RecordStore } from "../record/record-store.ts";
import type { Clock, ProviderProfile, RefreshFunction, SessionEvent, TokenStore } from "../types.ts";

/** Where the manager got a record from: the store, at some time or just after it changed; its own exchange; a sign-in. */
export type RecordSource = "store" | "change" | "exchange" | "sign-in";

/** Why a renewal was started. */
export type RenewalReason = "clock" | "call" | "rejection";

/** What a renewal is for. */
export interface RenewalGoal {
  /** The access token to replace. */
  readonly replacing: string | undefined;
  readonly because: RenewalReason;
}

/** What the manager knows when a renewal starts to look at the store. */
interface KnownSession {
  /** Whose session the manager keeps. */
  readonly account?: string | undefined;
  /** The record that the manager saw last. */
  readonly record?: SessionRecord | undefined;
}

/** The settings and services that the refresh protocol works with. */
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
  /** Returns whether the clock says that the record's access token should be renewed. */
  isDue(record: SessionRecord): boolean;
  /** Reports the record that is now stored, or `undefined` if there is none. */
  observe(record: SessionRecord | undefined, source: RecordSource): void;
  /** Reports an event to the manager's listeners. */
  announce(event: SessionEvent): void;
}

/** Milliseconds between two checks of the store that no caller waits for. */
export const LOOK_INTERVAL = 100;
