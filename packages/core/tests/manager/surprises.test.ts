import { expect, it } from "vitest";
import { canary } from "../../../../verification/end-to-end/support/canary.ts";
import { settle } from "../../../testing/src/virtual-clock.ts";
import { memoryStore, TokenEndpointError } from "../../src/index.ts";
import { attempt, disk, gate, LEASE, withoutWatch, write } from "../support/interference.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;

it("replaces no newer access token of a reusable refresh token by a late answer", async () => {
  const { clock, issuer, record, signIn } = startSession({ provider: { rotation: false } });
  const manager = await signIn(0);
  const { promise, open: answer } = gate<void>();
  issuer.next(() => promise.then(() => ({ access_token: "older", expires_in: 60 })), { before: true });
  await Promise.all([manager.getAccessToken().catch(() => {}), clock.advance(30_000)]);
  await clock.advance(2_000);
  issuer.next(() => ({ access_token: "newer", expires_in: 60 }), { before: true });
  expect(await manager.getAccessToken()).toBe("newer");
  answer();
  await settle();
  expect((await record()).tokens?.accessToken).toBe("newer");
});

it("presents no other account's refresh token, also where the record does not say whose it is (P14)", async () => {
  const jwt = (sub: string) => `e30.${btoa(JSON.stringify({ sub }))}.s`;
  const { clock, issuer, open, store } = startSession();
  withoutWatch(store);
  const manager = open();
  await manager.signIn({ accessToken: jwt("ada"), refreshToken: "ra", expiresAt: clock.now() });
  await write(store, (_r) => ({
    schema: 1,
    obtainedAt: 0,
    spent: [],
    tokens: { accessToken: jwt("bob"), refreshToken: "rb", expiresAt: clock.now(), tokenType: "Bearer", extra: {} },
  }));
  await manager.getAccessToken().catch(() => {});
  expect(issuer.presented).toEqual([]);
});

it("does without a watch that throws", async () => {
  const { open } = startSession({
    store: {
      ...memoryStore(),
      watch() {
        throw new Error("ENOENT watch");
      },
    },
  });
  const manager = open();
  await manager.signIn({ accessToken: "a" });
  expect(await manager.getAccessToken()).toBe("a");
});

it("takes a holder for alive where isGone throws", async () => {
  const { open, signIn, store, clock } = startSession();
  Object.assign(store, {
    holder: {
      id: "us",
      isGone: () => {
        throw new Error("sync");
      },
    },
  });
  await signIn(0);
  await write(store, (r) => ({ ...r, attempt: attempt(1, { holder: "them" }) }));
  let result: unknown;
  open()
    .getAccessToken()
    .then(
      (t) => (result = t),
      (e: unknown) => (result = e),
    );
  await clock.advance(1_000);
  expect(result).toBeUndefined();
});

it.each([true, false])("stays signed out where a commit's outcome comes in late (watch: %s)", async (watch) => {
  const { signIn, store } = startSession();
  if (!watch) withoutWatch(store);
  const manager = await signIn(HOUR);
  const { save } = store;
  const g = gate<void>();
  let saves = 0;
  store.save = async (v, e) => {
    const version = await save(v, e);
    if (++saves === 2) await g.promise; // published; the answer takes its time
    return version;
  };
  const renewed = manager.refresh().catch((e: unknown) => e);
  await settle();
  await manager.signOut({ revoke: false });
  g.open();
  await renewed;
  await settle();
  expect.soft(await manager.hasSession()).toBe(false);
  expect(manager.state).toMatchObject({ reason: "signed_out" });
});

it("gives no token after a sign-out where a commit's outcome comes in late", async () => {
  const { clock, signIn, store } = startSession();
  const manager = await signIn(HOUR);
  const { save } = store;
  const g = gate<void>();
  let saves = 0;
  store.save = async (v, e) => {
    const version = await save(v, e);
    if (++saves === 2) await g.promise;
    return version;
  };
  const renewed = manager.refresh().catch((e: unknown) => e);
  await settle();
  await manager.signOut({ revoke: false });
  g.open();
  await renewed;
  await clock.advance(30 * 60_000);
  await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
});

it("stays signed out where a verdict's look comes in late", async () => {
  const { clock, issuer, signIn, store } = startSession();
  const manager = await signIn(HOUR);
  const g = gate<void>(),
    l = gate<void>();
  issuer.next(
    () =>
      g.promise.then(() => Promise.reject(new TokenEndpointError({ error: "invalid_grant", status: 400, sent: true }))),
    { before: true },
  );
  const renewed = manager.refresh().catch((e: unknown) => e);
  await settle();
  const newer = {
    accessToken: "newer",
    refreshToken: "newer-r",
    tokenType: "Bearer",
    extra: {},
    expiresAt: clock.now() + HOUR,
  };
  await write(store, (r) => ({ ...r, attempt: undefined, tokens: newer, renewed: true }));
  const { load } = store;
  store.load = async () => {
    store.load = load;
    const x = await load();
    await l.promise;
    return x;
  };
  g.open();
  await settle();
  await manager.signOut({ revoke: false });
  l.open();
  await renewed;
  await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
});

it("does not wait for a claim at expiry that it has seen since long before", async () => {
  const { clock, signIn, store, open } = startSession();
  await signIn(HOUR);
  await write(store, (r) => ({ ...r, attempt: attempt(1) }));
  const manager = open();
  for (let i = 0; i < 3600; i++) {
    await manager.getAccessToken().catch(() => {});
    await clock.advance(1_000);
    if (i === 3597) break;
  }
  await clock.advance(3_000);
  const t0 = clock.monotonic();
  let at = 0;
  void manager.getAccessToken().then(() => (at = clock.monotonic()));
  await clock.advance(LEASE + 1000);
  expect(at - t0).toBeLessThan(2_000);
}, 60_000);

it("remembers a loss through a failure that followed it (P1)", async () => {
  const { clock, issuer, signIn } = startSession({ provider: { graceSeconds: 30 } });
  const manager = await signIn(HOUR);
  issuer.next(() => new Error("ECONNRESET"), { before: true });
  issuer.next(() => new TokenEndpointError({ sent: false }), { before: true });
  await manager.refresh().catch(() => {});
  expect(issuer.presented).toHaveLength(2);
  await clock.advance(60_000);
  await manager.refresh().catch(() => {});
  expect(issuer.presented).toHaveLength(2);
});

it("does not blame another holder's failure on its own", async () => {
  const { clock, issuer, signIn, store } = startSession();
  const manager = await signIn(0);
  issuer.next(() => new TokenEndpointError({ status: 503, sent: true }), { before: true });
  await manager.getAccessToken().catch(() => {});
  await clock.advance(5_000);
  await manager.getAccessToken();
  await clock.advance(2 * HOUR);
  await write(store, (r) => ({ ...r, attempt: attempt(2, { status: "failed", endedAt: clock.now(), retryIn: 1000 }) }));
  const e = (await manager.getAccessToken().catch((x: unknown) => x)) as Error;
  expect(e.message).not.toContain("503");
});

it("writes nothing more to a slow store once nobody waits (P12)", async () => {
  const { clock, signIn, store, open } = startSession();
  await signIn(0);
  const { save } = store;
  let saves = 0;
  store.save = async (v, e) => {
    saves++;
    await new Promise<void>((r) => clock.setTimer(r, 5_000, true));
    return save(v, e);
  };
  const c = new AbortController();
  open()
    .getAccessToken({ signal: c.signal })
    .catch(() => {});
  await clock.advance(60_000);
  c.abort();
  const before = saves;
  await clock.advance(600_000);
  expect({ before, after: saves, alive: clock.keepingAlive }).toMatchObject({ after: before });
});

it("signs nobody else out (P14)", async () => {
  const account = ({ extra }: { extra: Readonly<Record<string, unknown>> }) => extra.user as string | undefined;
  const { open, record } = startSession({ account });
  const ada = open();
  await ada.signIn({ accessToken: canary("access", "ada"), extra: { user: "ada" } });
  await open().signIn({ accessToken: canary("access", "bob"), extra: { user: "bob" } });
  await ada.signOut();
  expect(await record()).toMatchObject({ tokens: { accessToken: canary("access", "bob") } });
  await expect(ada.getAccessToken()).rejects.toMatchObject({ reason: "account_changed" });
});

it("gives a usable token of unknown expiry during a refresh", async () => {
  const { clock, issuer, signIn } = startSession();
  issuer.lifetime = undefined;
  const manager = await signIn(null);
  await manager.getAccessToken();
  await clock.advance(60_000);
  issuer.next(() => new Promise(() => {}));
  void manager.refresh().catch(() => {});
  await settle();
  let got: unknown;
  void manager.getAccessToken().then((t) => (got = t));
  await settle();
  expect(manager.state).toMatchObject({ status: "refreshing", usable: true });
  expect(got).toBe(canary("access", 2));
});

it("tells the next caller too that the client is wrong", async () => {
  const { issuer, signIn } = startSession();
  const manager = await signIn(0);
  issuer.next(() => new TokenEndpointError({ error: "invalid_client", status: 401, sent: true }), { before: true });
  await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "CONFIGURATION" });
  await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "CONFIGURATION" });
});

it("shows no token where the account function throws (P8)", async () => {
  const { open } = startSession({ account: (t) => JSON.parse(t.accessToken) as string });
  const e = (await open()
    .signIn({ accessToken: "canary-1" })
    .catch((x: unknown) => x)) as Error;
  expect(String(e)).not.toContain("canary");
});

it("gives up on a store that is too slow for a claim (P15)", async () => {
  const { clock, signIn, store, open } = startSession();
  await signIn(0);
  const { save } = store;
  let saves = 0;
  store.save = async (v, e) => {
    saves++;
    await new Promise<void>((r) => clock.setTimer(r, 5_000, true));
    return save(v, e);
  };
  let settled = false;
  open()
    .getAccessToken()
    .then(
      () => (settled = true),
      () => (settled = true),
    );
  await clock.advance(10 * 60_000);
  expect(settled, `saves: ${saves}`).toBe(true);
});

it("claims no unsaved rotation over a sign-out (I13)", async () => {
  const { clock, open, record, signIn, store } = startSession();
  withoutWatch(store);
  const manager = await signIn(0);
  const { save, load } = store;
  let saves = 0;
  store.save = async (v, e) => (saves++ === 0 ? save(v, e) : Promise.reject(disk));
  await manager.getAccessToken();
  await clock.leap(2 * HOUR);
  let loads = 0; // the commit's look, the failed save's look, then: signed out by another process, and the disk works again
  store.load = async () => {
    if (++loads === 3) {
      store.load = load;
      store.save = save;
      await open().signOut({ revoke: false });
    }
    return load();
  };
  const result = manager.getAccessToken().catch((e: unknown) => e);
  await clock.advance(5);
  expect.soft(await result).toMatchObject({ reason: "signed_out" });
  expect((await record()).dead?.reason).toBe("signed_out");
});

it("closes with tokens that the store refuses (P12)", async () => {
  const { signIn, store, clock } = startSession();
  const manager = await signIn(0);
  const { save } = store;
  let saves = 0;
  store.save = async (v, e) => (saves++ === 0 ? save(v, e) : Promise.reject(disk));
  await manager.getAccessToken();
  store.load = async () => Promise.reject(disk);
  let tries = 0;
  const settledClose = await manager.close().then(
    () => "closed",
    (e: unknown) => e,
  );
  store.load = async () => {
    tries++;
    throw disk;
  };
  await clock.advance(10_000);
  expect.soft(tries).toBe(0);
  expect(settledClose).toBe("closed");
});
