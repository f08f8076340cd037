import { expect, it } from "vitest";
import { canary } from "../../../../verification/end-to-end/support/canary.ts";
import { settle } from "../../../testing/src/virtual-clock.ts";
import { digestOf } from "../../src/record/record.ts";
import { attempt, disk, gate, withoutWatch, write } from "../support/interference.ts";
import { printed } from "../support/leaks.ts";
import { startSession, typesOf } from "../support/session.ts";

const HOUR = 3_600_000;

const account = ({ extra }: { extra: Readonly<Record<string, unknown>> }) => extra.user as string | undefined;

/** Tokens of a user, that have just expired. */
const tokensOf = (user: string, now: number) => ({
  accessToken: canary("access", user),
  refreshToken: canary("refresh", user),
  expiresAt: now,
  extra: { user },
});

const spentToken = (number: number) => digestOf(canary("refresh", number));

/** A session after one refresh, over which the first refresh token was put back. `other`: knows neither. */
async function putBack() {
  const session = startSession();
  withoutWatch(session.store);
  const manager = await session.signIn(0);
  const { tokens, obtainedAt } = await session.record();
  await manager.getAccessToken();
  const before = await session.record();
  await session.clock.advance(HOUR);
  await write(session.store, (record) => ({ ...record, tokens, obtainedAt }));
  return { ...session, manager, before, tokens, obtainedAt, other: session.open() };
}

it("shows no token of the session before in an error about it (P8)", async () => {
  const { signIn, store } = startSession();
  const manager = await signIn();
  await manager.refresh();
  store.load = () => Promise.reject(new Error(`cannot replace ${canary("refresh", 1)} by ${canary("refresh", 2)}`));
  const error: unknown = await manager.hasSession().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(printed(error)).not.toContain("canary");
});

it("ends a session whose own refresh token is spent, where nobody knows a newer one (P1, I9)", async () => {
  const { issuer, other, store } = await putBack();
  const { save } = store;
  let saves = 0;
  store.save = (value, expected) => (++saves > 20 ? new Promise(() => {}) : save(value, expected));
  await other.hasSession();
  let result: unknown;
  other.getAccessToken().catch((error: unknown) => {
    result = error;
  });
  await settle();
  expect(result).toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "refresh_token_reused" });
  expect({ saves, presented: issuer.presented }).toEqual({ saves: 1, presented: [canary("refresh", 1)] });
});

it("sees what becomes of a claim on a token that was put back (I9)", async () => {
  const { clock, other, store } = await putBack();
  await write(store, ({ tokens, ...stored }) => ({
    ...stored,
    attempt: attempt(1),
    tokens: tokens && { ...tokens, expiresAt: clock.now() + HOUR },
  }));
  await other.hasSession();
  expect(other.state?.status).toBe("refreshing");
  await write(store, (stored) => ({ ...stored, attempt: undefined }));
  await other.hasSession();
  expect(other.state?.status).toBe("valid");
});

it("restores with everything that is known to be spent (P1, I9)", async () => {
  const { manager, record, store } = await putBack();
  await write(store, (stored) => ({ ...stored, spent: ["of another session"] }));
  await manager.getAccessToken();
  expect((await record()).spent.toSorted()).toEqual([...[1, 2].map(spentToken), "of another session"].toSorted());
});

it("restores no token that the stored record knows as spent (P1, I9)", async () => {
  const { events, issuer, manager, store } = await putBack();
  await write(store, (stored) => ({ ...stored, spent: [1, 2].map(spentToken) })); // another process went on to a third
  await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "refresh_token_reused" });
  expect(typesOf(events)).not.toContain("restored");
  expect(issuer.presented).toEqual([canary("refresh", 1)]);
});

it.each([
  ["with the claim, which nobody else had seen", false],
  ["without the claim, which another had seen", true],
])("keeps the claim of an exchange in flight when it restores over what was put back %s (P1)", async (_name, hides) => {
  const { before, clock, issuer, manager, open, store, tokens, obtainedAt } = await putBack();
  await write(store, () => before);
  const other = open();
  await other.hasSession();
  const answered = gate<void>();
  issuer.next((rotated) => answered.promise.then(() => rotated));
  const renewed = manager.getAccessToken();
  await settle();
  if (hides) await other.hasSession();
  await write(store, (stored) => ({ ...stored, attempt: hides ? undefined : stored.attempt, tokens, obtainedAt }));
  const waiting = other.getAccessToken();
  await clock.advance(1_000);
  expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
  answered.open();
  await clock.advance(1_000);
  expect(await Promise.all([renewed, waiting])).toEqual([canary("access", 3), canary("access", 3)]);
  expect(issuer.presented).toHaveLength(2);
});

it("stores no rotation of a session that was replaced over one that was put back (P3)", async () => {
  const { clock, issuer, manager, open, record, before, store } = await putBack();
  await write(store, () => before);
  const answered = gate<void>();
  issuer.next((rotated) => answered.promise.then(() => rotated));
  const renewed = manager.getAccessToken();
  await settle();
  const newer = open();
  await newer.signIn({ accessToken: "n1", refreshToken: "new 1", expiresAt: clock.now() + HOUR });
  const old = await record();
  await write(store, (stored) => ({
    ...stored,
    tokens: old.tokens && { ...old.tokens, accessToken: "n2", refreshToken: "new 2" },
    spent: [...stored.spent, digestOf("new 1")],
  }));
  await write(store, ({ spent }) => ({ ...old, spent }));
  answered.open();
  expect(await renewed).toBe("n1");
  expect((await record()).tokens?.refreshToken).toBe("new 1");
});

it("tells that the account changed where another account's old session was put back (P14)", async () => {
  const { clock, open, record, store } = startSession({ account });
  withoutWatch(store);
  await open().signIn(tokensOf("bob", clock.now()));
  const old = await record();
  const ada = open();
  await ada.signIn(tokensOf("ada", clock.now()));
  await write(store, () => old);
  const { load } = store;
  let loads = 0;
  store.load = () => (++loads > 20 ? new Promise(() => {}) : load());
  let result: unknown;
  ada.getAccessToken().catch((error: unknown) => {
    result = error;
  });
  await settle();
  expect(result).toMatchObject({ reason: "account_changed" });
  expect(loads).toBeLessThan(5);
});

/** A sign-in whose save works, but says otherwise, and over which others go on before anyone looks. */
async function signInUnsure(session: ReturnType<typeof startSession>, meanwhile: () => Promise<unknown>) {
  const { store } = session;
  const { save } = store;
  store.save = async (value, expected) => {
    store.save = save;
    await save(value, expected);
    await meanwhile();
    throw disk;
  };
  return session.open();
}

it("repeats no sign-in over a session that went on from it (P1, P3)", async () => {
  const session = startSession();
  const { clock, issuer, record } = session;
  const manager = await signInUnsure(session, () => session.open().refresh());
  await manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() + HOUR });
  expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 2));
  expect(await manager.getAccessToken()).toBe(canary("access", 2));
  await manager.refresh();
  expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
});

it("keeps the account of a sign-in over which another account signed in at once (P14)", async () => {
  const session = startSession({ account });
  const { clock, open, record } = session;
  const ada = await signInUnsure(session, () => open().signIn(tokensOf("bob", clock.now() + HOUR)));
  await ada.signIn(tokensOf("ada", clock.now() + HOUR));
  expect((await record()).account).toBe("bob");
  expect(await ada.hasSession()).toBe(false);
  await expect(ada.getAccessToken()).rejects.toMatchObject({ reason: "account_changed" });
});
