import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { SignInRequiredError, TokenEndpointError } from "../../src/index.ts";
import { printed } from "../support/leaks.ts";
import { startSession, tokensOf, typesOf } from "../support/session.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
type Details = Partial<ConstructorParameters<typeof TokenEndpointError>[0]>;
const REVOKED = { error: "invalid_grant", description: "The token was revoked", status: 400 };
const BODILESS = { status: 400, body: "empty" } as const;

/** A session whose server refuses the next exchanges. */
async function startRefused(said: Details, { left = HOUR, times = 1 } = {}) {
  const session = startSession();
  const manager = await session.signIn(left);
  const refuse = (count: number) => {
    for (let time = 0; time < count; time++)
      session.issuer.next(() => new TokenEndpointError({ sent: true, ...said }), { before: true });
  };
  refuse(times);
  return { ...session, manager, refuse };
}

describe("a refresh that is refused while the access token is usable", () => {
  it("leaves the access token usable, here and in other processes, and is announced", async () => {
    const { clock, events, manager, open, record } = await startRefused(REVOKED);
    const refused = { code: "SIGN_IN_REQUIRED", reason: "revoked", cause: REVOKED };
    await expect(manager.refresh()).rejects.toMatchObject(refused);
    const state = { status: "near-expiry", usable: true, renewable: false, reason: "revoked" };
    expect(manager.state).toMatchObject(state);
    expect(events.at(-1)).toMatchObject({ type: "state-changed", state, cause: REVOKED });
    const other = open();
    for (const each of [manager, other]) {
      expect(await each.getAccessToken()).toBe(canary("access", 1));
      expect(await each.hasSession()).toBe(false);
      await expect(each.refresh()).rejects.toMatchObject(refused);
    }
    expect((await record()).tokens?.refreshToken).toBeUndefined();
    await clock.advance(HOUR);
    for (const each of [manager, other, open()]) await expect(each.getAccessToken()).rejects.toMatchObject(refused);
    expect(manager.state).toEqual({ status: "dead", reason: "revoked" });
  });

  it("never returns the access token again once it was rejected", async () => {
    const { clock, manager, issuer } = await startRefused(REVOKED);
    await manager.refresh().catch(() => {});
    for (let time = 0; time < 3; time++) {
      const replaced = manager.replaceRejected(canary("access", 1));
      await expect(replaced).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "revoked" });
      await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "revoked" });
      await manager.refresh().catch(() => {});
      await clock.advance(MINUTE);
    }
    expect(issuer.presented).toHaveLength(1);
  });

  it("does not keep an access token that was rejected before", async () => {
    const { manager, open } = await startRefused(REVOKED);
    await manager.getAccessToken();
    await expect(manager.replaceRejected(canary("access", 1))).rejects.toMatchObject({ reason: "revoked" });
    await expect(open().getAccessToken()).rejects.toMatchObject({ reason: "revoked" });
  });

  it("does not return the access token again if the verdict is saved later, once it is unusable by one of the clocks (P13)", async () => {
    const { clock, manager, store } = await startRefused(REVOKED);
    await clock.advance(HOUR);
    clock.jump(-HOUR); // the wall clock takes the token for usable, the monotonic one does not
    const { save } = store;
    const broken = () => Promise.reject(new Error("disk full"));
    store.save = async (...given) => {
      store.save = broken; // after the claim
      return save(...given);
    };
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "revoked" });
    store.save = save;
    await clock.advance(2_000);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "revoked" });
  });

  it("is replaced by a sign-in, and not by adopting the same tokens", async () => {
    const { clock, issuer, manager } = await startRefused(REVOKED);
    await manager.refresh().catch(() => {});
    expect(await manager.adopt(issuer.tokens())).toBe(false);
    expect(await manager.adopt(tokensOf("b", clock.now() + HOUR))).toBe(true);
    expect(manager.state).toMatchObject({ status: "valid" });
    expect(await manager.hasSession()).toBe(true);
  });
});

describe("a required interaction", () => {
  const INTERACTION = { error: "interaction_required", description: "AADSTS50076", status: 400 };

  it("ends the session, and keeps the refresh token for an explicit refresh()", async () => {
    const { clock, issuer, manager, open, record, refuse } = await startRefused(INTERACTION, { left: 0 });
    const required = { code: "SIGN_IN_REQUIRED", reason: "interaction_required", cause: INTERACTION };
    await expect(manager.getAccessToken()).rejects.toMatchObject(required);
    await clock.advance(HOUR);
    for (const each of [manager, open()]) {
      await expect(each.getAccessToken()).rejects.toMatchObject(required);
      expect(await each.hasSession()).toBe(false);
    }
    expect(issuer.presented).toHaveLength(1);
    expect((await record()).spent).toEqual([]);
    refuse(1);
    await expect(manager.refresh()).rejects.toMatchObject(required);
    expect(issuer.presented).toHaveLength(2);
    expect((await open().refresh()).accessToken).toBe(canary("access", 2));
    expect(await manager.hasSession()).toBe(true);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });

  it("does not take the access token away", async () => {
    const { manager } = await startRefused(INTERACTION);
    await expect(manager.refresh()).rejects.toMatchObject({ reason: "interaction_required" });
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
  });
});

describe("a refusal without a reason", () => {
  it("ends the session if it is the third in a row, ten minutes after the first", async () => {
    const { clock, issuer, manager, open } = await startRefused(BODILESS, { left: 0, times: 3 });
    for (const pause of [2 * MINUTE, 8 * MINUTE]) {
      await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "REFRESH_FAILED", cause: { status: 400 } });
      await clock.advance(pause);
    }
    const ended = { code: "SIGN_IN_REQUIRED", reason: "session_expired", cause: { status: 400 } };
    await expect(open().getAccessToken()).rejects.toMatchObject(ended);
    expect(issuer.presented).toHaveLength(3);
    expect((await manager.refresh()).accessToken).toBe(canary("access", 2));
  });

  it("does not end the session sooner, or after another failure in between", async () => {
    const { clock, issuer, manager, refuse } = await startRefused(BODILESS, { left: 0, times: 2 });
    const call = async () => {
      await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
      await clock.advance(4 * MINUTE);
    };
    await call();
    await call();
    issuer.next(() => new TokenEndpointError({ status: 429, sent: true }), { before: true });
    await call();
    refuse(3);
    await call();
    await call();
    await call();
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });

  it("is not counted while the access token is usable", async () => {
    const { clock, manager } = await startRefused(BODILESS, { left: 20 * MINUTE, times: 4 });
    for (let time = 0; time < 4; time++) {
      await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
      await clock.advance(4 * MINUTE);
    }
    await clock.advance(HOUR);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });

  it("ends the session after a lost response", async () => {
    const { clock, issuer, manager, refuse } = await startRefused({}, { left: 0 });
    await manager.getAccessToken().catch(() => {});
    await clock.advance(MINUTE);
    issuer.next(() => new TokenEndpointError({ sent: true, ...BODILESS }), { before: true });
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "response_lost" });
    refuse(0);
    expect(issuer.presented).toHaveLength(2);
  });

  it("does not claim that the session is intact", async () => {
    const { manager } = await startRefused(BODILESS, { left: 0 });
    const error = await manager.getAccessToken().catch((thrown: unknown) => thrown);
    expect(String(error)).not.toMatch(/kept|untouched|unchanged|intact/);
  });
});

describe("a refusal of the client", () => {
  it("is not repeated by the clock while the access token is usable, and makes a later refusal a lost response", async () => {
    const { clock, issuer, manager, refuse } = await startRefused({ error: "invalid_client", status: 401 });
    await clock.advance(HOUR - 4 * MINUTE);
    for (let minute = 0; minute < 3; minute++) {
      expect(await manager.getAccessToken()).toBe(canary("access", 1));
      await clock.advance(MINUTE);
    }
    expect(issuer.presented).toHaveLength(1);
    refuse(1);
    await expect(manager.refresh()).rejects.toMatchObject({ code: "CONFIGURATION" });
    expect(issuer.presented).toHaveLength(2);
    await clock.advance(2 * MINUTE);
    issuer.isRevoked = true;
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "response_lost" });
  });
});

describe("a response without an access token", () => {
  it("keeps its refresh token and its ID token, and reports the missing scope to every process", async () => {
    const { clock, issuer, manager, open, record } = await startRefused({}, { left: 0, times: 0 });
    issuer.next((response) => ({ refresh_token: response.refresh_token, id_token: "canary-id" }) as never);
    const misconfigured = {
      code: "CONFIGURATION",
      message: expect.stringMatching(/no access_token, but a new refresh token.*scope/),
    };
    await expect(manager.getAccessToken()).rejects.toMatchObject(misconfigured);
    expect((await record()).tokens).toMatchObject({ refreshToken: canary("refresh", 2), idToken: "canary-id" });
    await expect(open().getAccessToken()).rejects.toMatchObject(misconfigured);
    expect(issuer.presented).toHaveLength(1);
    await clock.advance(MINUTE);
    expect(await manager.getAccessToken()).toBe(canary("access", 3));
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
  });
});

it("hands out no empty token if the first response after a sign-in with a refresh token has none, either", async () => {
  const { clock, issuer, open } = startSession();
  const manager = open();
  await manager.signIn({ refreshToken: canary("refresh", 1) });
  issuer.next((response) => ({ refresh_token: response.refresh_token }) as never);
  await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "CONFIGURATION" });
  expect(manager.state).toMatchObject({ status: "near-expiry", usable: false });
  await clock.advance(MINUTE);
  expect(await manager.getAccessToken()).toBe(canary("access", 3));
});

describe("tokens of another account", () => {
  it.each([0, HOUR])(
    "are revoked instead of stored, %i ms before the others expire (OpenID Connect Core, section 12.2)",
    async (left) => {
      const { clock, events, issuer, open, record } = startSession();
      const idToken = (sub: string) => `e30.${btoa(JSON.stringify({ iss: "https://a.example", sub }))}.x`;
      const revoked: string[] = [];
      const revoke = async ({ accessToken }: { readonly accessToken: string }) => void revoked.push(accessToken);
      const manager = open({ refresh: Object.assign(issuer.refresh.bind(undefined), { revoke }) });
      await manager.signIn({ ...issuer.tokens(), idToken: idToken("ada"), expiresAt: clock.now() + left });
      issuer.next((response) => ({ ...response, id_token: idToken("mallory") }));
      const changed = { code: "SIGN_IN_REQUIRED", reason: "account_changed" };
      await expect(manager.refresh()).rejects.toMatchObject(changed);
      expect(revoked).toEqual([canary("access", 2)]);
      expect((await record()).tokens).toBeUndefined();
      expect(typesOf(events)).toEqual(["exchange-started"]);
      await expect(open().getAccessToken()).rejects.toMatchObject(changed);
    },
  );
});

it("shows no secret in what is said about a refusal, even if the server quotes the token", async () => {
  const description = `Refresh token invalid: ${canary("refresh", 1)}`;
  const { events, manager, open } = await startRefused(
    { error: "invalid_grant", status: 400, description },
    { left: 0 },
  );
  const errors = [
    await manager.getAccessToken().catch((error) => error),
    await open()
      .refresh()
      .catch((error) => error),
  ];
  for (const error of errors) expect(error).toBeInstanceOf(SignInRequiredError);
  for (const each of [...errors, ...events]) expect(printed(each)).not.toContain("canary");
});
