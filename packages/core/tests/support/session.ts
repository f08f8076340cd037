import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import {
  createTokenManager,
  memoryStore,
  type SessionEvent,
  type TokenManagerOptions,
  type TokenStore,
} from "../../src/index.ts";
import { parseRecord, type SessionRecord } from "../../src/record/record.ts";
import { Issuer } from "./issuer.ts";

const HOUR = 3_600_000;

/** The `account` option for the tokens of {@link tokensOf}. */
export const account = ({ extra }: { extra: Readonly<Record<string, unknown>> }) => extra.user as string | undefined;

/** Tokens of a user, with this expiry. */
export const tokensOf = (user: string, expiresAt: number) => ({
  accessToken: canary("access", user),
  refreshToken: canary("refresh", user),
  expiresAt,
  extra: { user },
});

/** An issuer, a store and a clock, and managers over them: each stands for a process. */
export function startSession(defaults: TokenManagerOptions = {}) {
  const clock = new VirtualClock();
  const issuer = new Issuer();
  const store: TokenStore = defaults.store ?? memoryStore();
  const events: SessionEvent[] = [];
  const open = (options: TokenManagerOptions = {}) => {
    const manager = createTokenManager({ store, refresh: issuer.refresh, clock, ...defaults, ...options });
    manager.subscribe((event) => events.push(event));
    return manager;
  };
  const record = async (): Promise<SessionRecord> => parseRecord((await store.load())?.value ?? "", store.describe());
  /** Signs in with the issuer's tokens, `left` milliseconds before they expire (`null`: of unknown expiry). */
  const signIn = async (left: number | null = HOUR) => {
    const manager = open();
    const expiresAt = left === null ? undefined : clock.now() + left;
    await manager.signIn({ ...issuer.tokens(), expiresAt });
    return manager;
  };
  return { clock, issuer, store, events, open, record, signIn };
}

export const typesOf = (events: readonly SessionEvent[]): string[] =>
  events.map((event) => event.type).filter((type) => type !== "state-changed");
