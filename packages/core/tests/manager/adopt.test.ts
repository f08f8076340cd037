import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import type { SessionFormat } from "../../src/index.ts";
import { account, startSession, tokensOf } from "../support/session.ts";

const HOUR = 3_600_000;
const SEED = { refreshToken: canary("refresh", 1) };

describe("adopt", () => {
  it("starts a session with a refresh token alone, which is exchanged when a token is needed", async () => {
    const { issuer, open } = startSession();
    const manager = open();
    expect(await manager.adopt(SEED)).toBe(true);
    expect(await manager.hasSession()).toBe(true);
    expect(issuer.presented).toEqual([]);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
  });

  it("leaves a session that began with the same refresh token alone", async () => {
    const { clock, issuer, open } = startSession();
    const [slow, quick] = [open(), open()];
    await slow.hasSession(); // finds none
    await quick.adopt(SEED);
    await quick.getAccessToken();
    expect(await slow.adopt(SEED)).toBe(false);
    await clock.advance(2 * HOUR);
    expect(await slow.getAccessToken()).toBe(canary("access", 3));
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
  });

  it("starts a session in place of one that can neither be used nor refreshed", async () => {
    const { clock, open } = startSession();
    await open().signIn({ accessToken: "expired", expiresAt: clock.now() });
    const manager = open();
    expect(await manager.adopt(SEED)).toBe(true);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });

  it("leaves the session of another account alone", async () => {
    const { clock, open } = startSession({ account });
    await open().signIn(tokensOf("ada", clock.now() + HOUR));
    const manager = open();
    expect(await manager.adopt(tokensOf("bob", clock.now() + HOUR))).toBe(false);
    expect(await manager.getAccessToken()).toBe(canary("access", "ada"));
  });

  it.each(["signOut", "refused"] as const)("does not start a session again after it ended: %s", async (how) => {
    const { issuer, open } = startSession();
    const manager = open();
    await manager.adopt(SEED);
    if (how === "signOut") await manager.signOut();
    else {
      issuer.isRevoked = true;
      await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    }
    expect(await open().adopt(SEED)).toBe(false);
    await expect(open().getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
  });

  it("starts a session with a new refresh token after a sign-out", async () => {
    const { open } = startSession();
    const manager = open();
    await manager.adopt(SEED);
    await manager.signOut();
    expect(await manager.adopt({ refreshToken: canary("refresh", "b") })).toBe(true);
    expect(await manager.hasSession()).toBe(true);
  });

  it("does not forget its first refresh token, however often the program signs in with a later one", async () => {
    const { open } = startSession();
    const manager = open();
    await manager.adopt(SEED);
    for (let time = 0; time < 40; time++) {
      const { refreshToken = "" } = await manager.refresh();
      await manager.signIn({ refreshToken });
    }
    await manager.signOut();
    expect(await manager.adopt(SEED)).toBe(false);
  });
});

describe("signIn", () => {
  it("refuses a refresh token that the same account's session has exchanged, and keeps that session (P3, I17)", async () => {
    const { issuer, open } = startSession();
    const [slow, quick] = [open(), open()];
    await slow.hasSession();
    await quick.signIn(SEED);
    await quick.getAccessToken();
    expect(await slow.signIn(SEED)).toBe(false);
    expect(await slow.getAccessToken()).toBe(canary("access", 2));
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
  });

  it("signs in to an account again, with the same token as before", async () => {
    const { clock, open } = startSession({ account });
    const manager = open();
    for (const user of ["ada", "bob", "ada"]) {
      expect(await manager.signIn(tokensOf(user, clock.now() + HOUR))).toBe(true);
      expect(await manager.getAccessToken()).toBe(canary("access", user));
    }
    await manager.signOut();
    expect(await manager.signIn(tokensOf("ada", clock.now() + HOUR))).toBe(true);
    expect(await manager.getAccessToken()).toBe(canary("access", "ada"));
  });

  it("takes what a format has found, of which either token may be undefined", async () => {
    const format: SessionFormat = {
      key: "lines",
      parse(text) {
        const [accessToken, refreshToken, expiry] = text.split("\n");
        if (!accessToken && !refreshToken) return undefined;
        return { tokens: { accessToken, refreshToken, expiresAt: expiry === undefined ? undefined : Number(expiry) } };
      },
      print: () => undefined,
    };
    const manager = startSession().open();
    expect(await manager.adopt(format.parse(canary("access", 1))?.tokens ?? {})).toBe(true);
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
  });

  it("requires an access token or a refresh token", async () => {
    const tokens = { expiresAt: 5 } as unknown as { refreshToken: string };
    await expect(startSession().open().signIn(tokens)).rejects.toThrow(
      "A TokenSet needs at least an accessToken or a refreshToken.",
    );
  });
});
