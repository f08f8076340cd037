import { expect, it } from "vitest";
import { canary } from "../../../../verification/end-to-end/support/canary.ts";
import { settle } from "../../../testing/src/virtual-clock.ts";
import { StoreConflictError, TokenEndpointError } from "../../src/index.ts";
import { attempt, disk, gate, LEASE, withoutWatch, write } from "../support/interference.ts";
import { startSession, typesOf } from "../support/session.ts";

const HOUR = 3_600_000;

it("does not spin over a claim where there is no refresh function", async () => {
  const { clock, open, signIn, store } = startSession();
  withoutWatch(store);
  await signIn(HOUR);
  await write(store, (r) => ({ ...r, attempt: attempt(1) }));
  const reader = open({ refresh: undefined });
  await reader.getAccessToken();
  await settle();
  await write(store, (r) => ({ ...r, attempt: attempt(1, { status: "failed", endedAt: clock.now(), retryIn: 0 }) }));
  await clock.advance(1_000);
  let loads = 0;
  const { load } = store;
  store.load = () => (++loads > 1000 ? new Promise(() => {}) : load());
  expect(await reader.getAccessToken()).toBe(canary("access", 1));
  for (let i = 0; i < 300; i++) await settle();
  expect(loads).toBeLessThan(10);
});

it("does not spin where the server repeats an access token that has ended (P13)", async () => {
  const { clock, open } = startSession();
  let exchanges = 0;
  const refresh = async () => {
    if (++exchanges > 200) return new Promise<never>(() => {});
    return { access_token: "constant", refresh_token: `r${exchanges}`, expires_in: 0 };
  };
  const manager = open({ refresh });
  await manager.signIn({ accessToken: "constant", refreshToken: "r0", expiresAt: clock.now() });
  const p = manager.getAccessToken();
  for (let i = 0; i < 300; i++) await settle();
  expect(exchanges).toBeLessThan(3);
  await p;
});

const stale = async (act: "signOut" | "signIn") => {
  const { clock, open, signIn, store } = startSession();
  withoutWatch(store);
  const manager = await signIn(HOUR);
  await clock.advance(HOUR - 60_000);
  await open().refresh(); // another process: T2
  const { load } = store;
  const g = gate<void>();
  store.load = async () => {
    store.load = load;
    const looked = await load();
    await g.promise;
    return looked;
  };
  await manager.getAccessToken(); // renewal behind: its look is slow
  await settle();
  if (act === "signOut") await manager.signOut({ revoke: false });
  else await manager.signIn({ accessToken: "new-user", refreshToken: "new-refresh", expiresAt: clock.now() + HOUR });
  g.open();
  await settle();
  return manager;
};

it("stays signed out where a renewal's look comes in late (I13)", async () => {
  const manager = await stale("signOut");
  await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
});

it("stays signed in where a renewal's look comes in late", async () => {
  const manager = await stale("signIn");
  expect(await manager.getAccessToken()).toBe("new-user");
});

it("stays signed in where a look that found nothing comes in late", async () => {
  const { open, store } = startSession();
  withoutWatch(store);
  const manager = open();
  const { promise: finished, open: finish } = gate<void>();
  const { load } = store;
  store.load = async () => {
    store.load = load;
    const looked = await load();
    await finished;
    return looked;
  };
  const looking = manager.hasSession();
  await settle();
  await manager.signIn({ accessToken: canary("access", 1) });
  finish();
  expect(await looking).toBe(true);
  expect(manager.state?.status).toBe("valid");
});

it("restores ours also where it watches the store (I9)", async () => {
  const { clock, issuer, record, signIn, store } = startSession();
  const manager = await signIn(0);
  const old = await record();
  await manager.getAccessToken();
  await write(store, () => old);
  await clock.advance(60_000);
  await manager.refresh().catch(() => {});
  expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
});

it("stores its rotation over a spent token that was put back during the exchange (P2)", async () => {
  const { issuer, record, signIn, store } = startSession();
  withoutWatch(store);
  const manager = await signIn(0);
  const old = await record();
  await manager.getAccessToken();
  const { promise, open: answer } = gate<void>();
  issuer.next((rotated) => promise.then(() => rotated));
  const renewed = manager.refresh();
  await settle();
  await write(store, () => old);
  answer();
  expect(await renewed).toMatchObject({ accessToken: canary("access", 3) });
  expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 3));
});

it("restores ours also after another look (I9)", async () => {
  const { clock, issuer, record, signIn, store } = startSession();
  withoutWatch(store);
  const manager = await signIn(0);
  const old = await record();
  await manager.getAccessToken();
  await write(store, () => old);
  await manager.hasSession();
  await clock.advance(60_000);
  await manager.refresh().catch(() => {});
  expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
});

it.each([
  ["scope", { access_token: "new", scope: [{ toString: 1 }] }],
  [
    "getter",
    Object.defineProperty({}, "access_token", {
      enumerable: true,
      get() {
        throw new Error("x");
      },
    }),
  ],
])("settles whatever the refresh function returns: %s", async (_n, garbage) => {
  const { clock, open, signIn } = startSession();
  await signIn(0);
  const manager = open({ refresh: async () => garbage as never });
  let settled = false;
  manager.getAccessToken().then(
    () => (settled = true),
    () => (settled = true),
  );
  await clock.advance(10 * 60_000);
  expect(settled).toBe(true);
});

it("writes what was refused after the store could not be read either (P2)", async () => {
  const { clock, record, signIn, store } = startSession();
  const manager = await signIn(0);
  const { save, load } = store;
  let saves = 0;
  store.save = async (v, e) => (saves++ === 0 ? save(v, e) : Promise.reject(disk));
  await manager.getAccessToken();
  store.load = async () => Promise.reject(disk);
  await clock.advance(1_500);
  store.load = load;
  store.save = save;
  await clock.advance(600_000);
  expect((await record()).tokens?.accessToken).toBe(canary("access", 2));
});

it("keeps a late answer while the store cannot be read (P2)", async () => {
  const { clock, issuer, signIn, store } = startSession();
  const manager = await signIn(0);
  const { promise, open: answer } = gate<void>();
  issuer.next((rotated) => promise.then(() => rotated));
  const token = manager.getAccessToken().catch((error: unknown) => error);
  await clock.advance(30_000);
  await token;
  const { load } = store;
  store.load = async () => Promise.reject(disk);
  answer();
  await settle();
  store.load = load;
  await clock.advance(5_000);
  expect(await manager.getAccessToken()).toBe(canary("access", 2));
});

it("gives a caller that waits its token, although close() was called (P12)", async () => {
  const { issuer, signIn } = startSession();
  const manager = await signIn(0);
  const { promise, open: answer } = gate<void>();
  issuer.next((rotated) => promise.then(() => rotated));
  const token = manager.getAccessToken();
  token.catch(() => {});
  await settle();
  const closing = manager.close();
  answer();
  await closing;
  expect(await token).toBe(canary("access", 2));
});

it("backs off between clocks that differ (P13)", async () => {
  const { clock, issuer, open, signIn } = startSession();
  await signIn(0);
  const ahead = { now: () => clock.now() + 600_000, monotonic: clock.monotonic, setTimer: clock.setTimer };
  const [a, b] = [open(), open({ clock: ahead })];
  for (let i = 0; i < 200; i++)
    issuer.next(() => new TokenEndpointError({ status: 503, sent: true }), { before: true });
  for (let i = 0; i < 50; i++) {
    await a.getAccessToken().catch(() => {});
    await b.getAccessToken().catch(() => {});
    await clock.advance(20);
  }
  expect(issuer.presented.length).toBeLessThanOrEqual(3);
});

it("is valid again once an abandoned claim is known as such", async () => {
  const { clock, signIn, store, open } = startSession();
  Object.assign(store, { holder: { id: "us", isGone: async () => true } });
  await signIn(HOUR);
  await write(store, (r) => ({ ...r, attempt: attempt(1, { holder: "them" }) }));
  const manager = open();
  let loads = 0;
  const { load } = store;
  store.load = () => {
    loads++;
    return load();
  };
  for (let i = 0; i < 100; i++) {
    await manager.getAccessToken();
    await clock.advance(1_000);
  }
  expect.soft(manager.state?.status).toBe("valid");
  expect(loads).toBeLessThan(20);
});

it("leaves a valid token alone after somebody else's forced exchange failed", async () => {
  const { clock, signIn, store, open, issuer } = startSession();
  withoutWatch(store);
  await signIn(HOUR);
  await write(store, (r) => ({ ...r, attempt: attempt(1) }));
  const manager = open();
  await manager.getAccessToken();
  await write(store, (r) => ({
    ...r,
    attempt: attempt(1, { status: "failed", endedAt: clock.now(), retryIn: 1_000 }),
  }));
  await clock.advance(2_000);
  await manager.getAccessToken();
  await clock.advance(1_000);
  expect(issuer.presented).toHaveLength(0);
});

it("gives no token of another account that signs in meanwhile (P14)", async () => {
  const account = ({ extra }: { extra: Readonly<Record<string, unknown>> }) => extra.user as string | undefined;
  const got: string[] = [];
  for (let k = 0; k < 40; k++) {
    const { clock, open, store } = startSession({ account });
    withoutWatch(store);
    const manager = open();
    await manager.signIn({
      accessToken: "ada",
      refreshToken: "ra",
      expiresAt: clock.now() + HOUR,
      extra: { user: "ada" },
    });
    await clock.advance(HOUR - 60_000);
    await open().signIn({
      accessToken: "bob",
      refreshToken: "rb",
      expiresAt: clock.now() + HOUR,
      extra: { user: "bob" },
    });
    void manager.hasSession();
    for (let i = 0; i < k; i++) await Promise.resolve();
    got.push(await manager.getAccessToken().catch((e) => e.reason as string));
  }
  expect(got).not.toContain("bob");
});

it("tells one failure once", async () => {
  const { events, open, signIn, store } = startSession();
  await signIn(0);
  store.save = async () => Promise.reject(disk);
  const manager = open();
  await Promise.allSettled(Array.from({ length: 5 }, () => manager.getAccessToken()));
  expect(typesOf(events).filter((t) => t === "refresh-failed")).toHaveLength(1);
});

it.each([
  ["timeout, applied later", "later"],
  ["conflict with our own write", "conflict"],
])("does not wait for its own claim: %s (I12)", async (_n, how) => {
  const { clock, issuer, open, signIn, store } = startSession({ provider: { afterLoss: "sign-in" } });
  withoutWatch(store);
  await signIn(0);
  const { save } = store;
  store.save = async (v, e) => {
    store.save = save;
    if (how === "later") {
      clock.setTimer(() => void save(v, e), 10, false);
      throw new Error("timed out");
    }
    await save(v, e);
    throw new StoreConflictError("x");
  };
  const manager = open();
  let result: unknown;
  manager
    .getAccessToken()
    .catch(() => clock.advance(0).then(() => 0))
    .then(
      () => 0,
      () => 0,
    );
  await clock.advance(20);
  manager.getAccessToken().then(
    (t) => (result = t),
    (e: unknown) => (result = e),
  );
  await clock.advance(100);
  expect.soft(result, "within 100 ms").toBe(canary("access", 2));
  await clock.advance(3 * LEASE);
  expect(result).toBe(canary("access", 2));
  expect(issuer.presented).toHaveLength(1);
});

it("presents nothing again after a verdict that could not be stored (P1)", async () => {
  const { clock, issuer, signIn, store } = startSession();
  const manager = await signIn(0);
  const { save } = store;
  let saves = 0;
  store.save = async (v, e) => (saves++ === 0 ? save(v, e) : Promise.reject(disk));
  issuer.next(() => new TokenEndpointError({ error: "invalid_grant", status: 400, sent: true }), { before: true });
  await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "session_expired" });
  store.save = save;
  const again = manager.getAccessToken().catch((e: unknown) => e);
  await clock.advance(3 * LEASE);
  await again;
  expect(issuer.presented).toHaveLength(1);
});

it("ends no newer session with a verdict that could not be stored (P3)", async () => {
  const { issuer, signIn, store, clock } = startSession();
  const manager = await signIn(0);
  const g = gate<void>();
  issuer.next(
    () =>
      g.promise.then(() => Promise.reject(new TokenEndpointError({ error: "invalid_grant", status: 400, sent: true }))),
    { before: true },
  );
  void manager.getAccessToken().catch((e: unknown) => e);
  await settle();
  await manager.signIn({ accessToken: "new", refreshToken: "new-r", expiresAt: clock.now() + HOUR });
  store.load = async () => Promise.reject(disk);
  g.open();
  await settle();
  expect(manager.state?.status).toBe("valid");
});
