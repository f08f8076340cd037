import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import {
  createSessions,
  memoryStore,
  type RefreshFunction,
  type SessionsEvent,
  type SessionsOptions,
  type TokenStore,
} from "../../src/index.ts";
import { Issuer } from "./issuer.ts";

const HOUR = 3_600_000;

/** The users of a server: an issuer and a store for each, and a clock. Everything that opens sessions stands for a process. */
export function startUsers(defaults: Partial<SessionsOptions> = {}) {
  const clock = new VirtualClock();
  const issuers = new Map<string, Issuer>();
  const stores = new Map<string, TokenStore>();
  const opened: string[] = [];
  const watching = new Set<string>();
  const entry = <T>(map: Map<string, T>, key: string, make: () => T): T => {
    const value = map.get(key) ?? make();
    map.set(key, value);
    return value;
  };
  const issuer = (key: string) => entry(issuers, key, () => new Issuer());
  const storeOf = (key: string): TokenStore => entry(stores, key, () => memoryStore());
  const store = (key: string): TokenStore => {
    opened.push(key);
    return withWatching(storeOf(key), (isWatching) => (isWatching ? watching.add(key) : watching.delete(key)));
  };
  /** The user of a refresh token stands in `extra`, because all issuers issue the same tokens. */
  const refresh: RefreshFunction = Object.assign(
    async (...[current, context]: Parameters<RefreshFunction>) => {
      const user = String(current.extra.user);
      return { ...(await issuer(user).refresh(current, context)), user };
    },
    { revoke: async () => true },
  );
  const open = (options: Partial<SessionsOptions> = {}) => {
    const sessions = createSessions({ store, refresh, clock, ...defaults, ...options });
    const events: SessionsEvent[] = [];
    sessions.subscribe((event) => events.push(event));
    return { sessions, events };
  };
  const tokens = (user: string, left = HOUR) => ({
    ...issuer(user).tokens(),
    expiresAt: clock.now() + left,
    extra: { user },
  });
  return { clock, issuer, storeOf, opened, watching, open, tokens };
}

/** Returns a store that does what `inner` does at the time of each call, and tells when it is watched. */
function withWatching(inner: TokenStore, onWatch: (isWatching: boolean) => void): TokenStore {
  const { supports, describe, remove } = inner;
  return {
    supports,
    describe,
    remove,
    load: () => inner.load(),
    save: (...given) => inner.save(...given),
    watch(onChange) {
      onWatch(true);
      const stop = inner.watch?.(onChange);
      return () => {
        onWatch(false);
        stop?.();
      };
    },
  };
}
