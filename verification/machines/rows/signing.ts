/** Sign-ins, sign-outs and other accounts while something else is going on. */
import { renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { TokenSet, TokenStore } from "@unexpired/core";
import { outcome, outcomeWithin } from "@unexpired-internal/tables/outcome";
import { canary } from "@unexpired-internal/test-support/canary";
import type { Row } from "../row.ts";
import { sharedString } from "../stores.ts";

const ONE = "1 exchange, none presented twice, signed in";
const HOUR = 60 * 60_000;
const account = (tokens: TokenSet) => String(tokens.extra.user ?? "ada");

/** A session of another account. */
const bob = () => ({
  accessToken: canary("access", "bob"),
  refreshToken: canary("refresh", "bob"),
  expiresAt: Date.now() + HOUR,
  extra: { user: "bob" },
});

export const signingRows: readonly Row[] = [
  {
    situation: "two starters: A finds no session, B signs in with the seed and renews, A signs in with the same seed",
    expected: { happened: ONE, saw: "A stored: false, then a token" },
    async run(scene) {
      const seed = { ...scene.issuer.signIn(), expiresAt: 1 };
      const [a, b] = [scene.open(), scene.open()];
      await a.hasSession();
      await b.signIn(seed);
      await b.getAccessToken();
      const stored = await a.signIn(seed);
      return { saw: `A stored: ${stored}, then ${await outcome(a.getAccessToken())}`, happened: scene.exchanges };
    },
  },
  {
    situation: "accounts A, B, A again, at a server that does not rotate",
    expected: { happened: "2 exchanges, 1 presented twice, signed in", saw: "true, true, true; a token" },
    async run(scene) {
      await scene.useIssuer({ rotation: false });
      const a = { ...scene.issuer.signIn(), expiresAt: 1, extra: { user: "ada" } };
      const tokens = scene.open({ account, provider: { rotation: false } });
      const first = await tokens.signIn(a);
      await tokens.getAccessToken();
      const second = await tokens.signIn(bob());
      const third = await tokens.signIn(a);
      const saw = await outcome(tokens.getAccessToken());
      return { saw: `${[first, second, third].join(", ")}; ${saw}`, happened: scene.exchanges };
    },
  },
  {
    situation: "sign out, and in again with the same refresh token",
    expected: { happened: ONE, saw: "true; a token" },
    async run(scene) {
      const session = { ...scene.issuer.signIn(), expiresAt: 1 };
      const tokens = scene.open();
      await tokens.signIn(session);
      await tokens.signOut({ revoke: false });
      const isStored = await tokens.signIn(session);
      return { saw: `${isStored}; ${await outcome(tokens.getAccessToken())}`, happened: scene.exchanges };
    },
  },
  {
    situation: "another process signs out while a load runs that began before (the store notifies)",
    expected: { happened: "0 exchanges", saw: "SIGN_IN_REQUIRED signed_out" },
    async run(scene) {
      const shared = sharedString(scene.packed, { canWatch: true });
      const [mine, theirs] = [shared.open(), shared.open()];
      const [a, b] = [mine, theirs].map((store) =>
        scene.packed.core.createTokenManager({ store, refresh: scene.refresh() }),
      );
      scene.atEnd(() => Promise.all([a?.close(), b?.close()]));
      await b?.signIn({ ...scene.issuer.signIn() });
      const held = mine.holdNextLoad();
      const loading = a?.getAccessToken();
      await held.started;
      await b?.signOut({ revoke: false });
      await scene.settle(); // the notification arrives while the load is held
      held.release();
      await loading?.catch(() => {});
      await scene.settle();
      return { saw: await outcome(Promise.resolve(a?.getAccessToken())), happened: scene.exchanges };
    },
  },
  {
    situation: "a store without `watch`: another process has signed out; two calls, six seconds later",
    expected: { happened: "0 exchanges", saw: /^a token, then SIGN_IN_REQUIRED signed_out/ },
    async run(scene) {
      let offset = 0;
      const clock = { now: () => Date.now() + offset, monotonic: () => performance.now() + offset };
      const shared = sharedString(scene.packed, { canWatch: false });
      const open = (store: TokenStore) =>
        scene.packed.core.createTokenManager({ store, refresh: scene.refresh(), clock });
      const [a, b] = [open(shared.open()), open(shared.open())];
      await b.signIn({ ...scene.issuer.signIn() });
      await a.getAccessToken();
      await b.signOut({ revoke: false });
      offset = 6_000;
      const first = await outcome(a.getAccessToken());
      await scene.settle();
      return { saw: `${first}, then ${await outcome(a.getAccessToken())}`, happened: scene.exchanges };
    },
  },
  {
    situation: "sign-out during an exchange; then the session's directory is removed",
    expected: { happened: ONE, saw: /^SIGN_IN_REQUIRED signed_out.*, then (SIGN_IN_REQUIRED|STORE_UNAVAILABLE)/s },
    async run(scene) {
      await scene.signIn();
      const tokens = scene.open();
      scene.issuer.next({ delay: 300 });
      const first = outcome(tokens.getAccessToken());
      await scene.requested(1);
      await tokens.signOut({ revoke: false });
      rmSync(dirname(scene.file), { recursive: true });
      const caller = await first;
      await scene.settle();
      return { saw: `${caller}, then ${await outcome(tokens.getAccessToken())}`, happened: scene.exchanges };
    },
  },
  {
    situation: "another account signs in during an exchange; then the session's directory vanishes for a moment",
    expected: { happened: ONE, saw: /^(bob's token|STORE_UNAVAILABLE.*), bob's token$/s },
    async run(scene) {
      const tokens = scene.open({ account });
      await tokens.signIn({ ...scene.issuer.signIn(), expiresAt: 1, extra: { user: "ada" } });
      scene.issuer.next({ delay: 300 });
      const first = outcome(tokens.getAccessToken());
      await scene.requested(1);
      const session = bob();
      await tokens.signIn(session);
      const directory = dirname(scene.file);
      renameSync(directory, `${directory}.away`);
      await first;
      await scene.settle();
      const isBobs = (token: string) => (token === session.accessToken ? "bob's token" : "another account's token");
      const away = await outcomeOf(tokens.getAccessToken(), isBobs);
      renameSync(`${directory}.away`, directory);
      return { saw: `${away}, ${await outcomeOf(tokens.getAccessToken(), isBobs)}`, happened: scene.exchanges };
    },
  },
  {
    situation: "`revoke()` never settles: the exchange's caller, a new sign-in, `close()`",
    expected: {
      happened: /^2 exchanges, none presented twice, signed in/,
      saw: /^SIGN_IN_REQUIRED signed_out.*; a token; done$/s,
    },
    async run(scene) {
      const refresh = Object.assign(scene.refresh(1_000), { revoke: () => new Promise<void>(() => {}) });
      const tokens = scene.packed.core.createTokenManager({ refresh });
      await tokens.signIn({ ...scene.issuer.signIn(), expiresAt: 1 });
      scene.issuer.next({ delay: 200 });
      const first = outcomeWithin(tokens.getAccessToken(), 5_000);
      await scene.requested(1);
      await tokens.signOut({ revoke: false });
      const saw = [await first];
      await tokens.signIn({ ...scene.issuer.signIn(), expiresAt: 1 });
      saw.push(await outcomeWithin(tokens.getAccessToken(), 5_000), await outcomeWithin(tokens.close(), 5_000));
      return { saw: saw.join("; "), happened: scene.exchanges };
    },
  },
];

const outcomeOf = (result: Promise<string>, describe: (token: string) => string): Promise<string> =>
  result.then(describe, (error: unknown) => outcome(Promise.reject(error)));
