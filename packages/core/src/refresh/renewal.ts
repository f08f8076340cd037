import type { SessionRecord } from "../record.ts";

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
export interface KnownSession {
  /** Whose session the manager keeps. */
  readonly account?: string | undefined;
  /** The record that the manager saw last. */
  readonly record?: SessionRecord | undefined;
}

/** Milliseconds between two checks of the store that no caller waits for. */
export const LOOK_INTERVAL = 100;
