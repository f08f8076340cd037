import { canary } from "@unexpired-internal/test-support/canary";
import { type Context, initialSession, type Session } from "../../src/manager/session.ts";
import type { SessionRecord } from "../../src/record/record.ts";
import type { TokenSet } from "../../src/types.ts";

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const NOW = Date.UTC(2026, 0, 1);

/** The defaults, at a time when the clocks are far from zero. */
export const conditions = (more: Partial<Context> = {}): Context => ({
  canRefresh: true,
  refreshWindow: 5 * MINUTE,
  background: true,
  staleIfError: false,
  maxStaleness: Number.POSITIVE_INFINITY,
  location: "here",
  now: NOW,
  monotonic: HOUR,
  ...more,
});

export const tokens = (more: Partial<TokenSet> = {}): TokenSet => ({
  accessToken: canary("access", 1),
  refreshToken: canary("refresh", 1),
  expiresAt: NOW + HOUR,
  tokenType: "Bearer",
  extra: {},
  ...more,
});

/** A session with a lifetime of an hour, right after its sign-in. */
export const recordOf = (more: Partial<SessionRecord> = {}): SessionRecord => ({
  schema: 1,
  tokens: tokens(),
  obtainedAt: NOW,
  spent: [],
  ...more,
});

export const loaded = (record: SessionRecord | undefined, more: Partial<Session> = {}): Session => ({
  ...initialSession,
  isLoaded: true,
  record,
  seen: record,
  ...more,
});
