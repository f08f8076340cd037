import { canary } from "@unexpired-internal/test-support/canary";
import { digestOf, type SessionRecord } from "../../src/record/record.ts";
import { hideSecrets } from "../../src/tokens/token-set.ts";

/** The record after this number of refreshes. */
export const record = (generation: number, more: Partial<SessionRecord> = {}): SessionRecord => ({
  schema: 1,
  obtainedAt: generation * 1_000,
  tokens: hideSecrets({
    accessToken: canary("access", generation),
    refreshToken: canary("refresh", generation),
    tokenType: "Bearer",
    extra: { note: "ünï☃\u0000" },
  }),
  spent: [],
  ...more,
});

/** The digests of refresh tokens, by their generations. */
export const spentOf = (...generations: number[]) =>
  generations.map((generation) => digestOf(canary("refresh", generation)));
