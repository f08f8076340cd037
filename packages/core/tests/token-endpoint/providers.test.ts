import { readFileSync } from "node:fs";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { createTokenManager, type ProviderProfile, providers, type ResponsePattern } from "../../src/index.ts";
import { parseOptions } from "../../src/manager/options.ts";
import { genericProvider } from "../../src/token-endpoint/providers.ts";
import { attempt, write } from "../support/interference.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;
const all: [string, ProviderProfile][] = Object.entries(providers);
const rotating = all.filter(([, { rotation }]) => rotation);
const graceful = rotating.filter(([, { graceSeconds }]) => graceSeconds > 0);
const graceless = rotating.filter(([, { graceSeconds }]) => graceSeconds === 0);
const temporary = graceful.filter(([, { graceSeconds }]) => Number.isFinite(graceSeconds));
const LISTS = ["terminal", "interaction", "misconfigured", "transient", "lost"] as const;
const lose = () => new Error("ECONNRESET");

describe("the profiles", () => {
  it("have these names", () => {
    expect(Object.keys(providers)).toEqual([
      "generic",
      "strict",
      "auth0",
      "okta",
      "keycloak",
      "workos",
      "supabase",
      "cognito",
      "github",
      "google",
      "linear",
      "salesforce",
      "entra",
      "atlassian",
      "hubspot",
      "xero",
      "intuit",
      "slack",
      "zoho",
      "fitbit",
      "strava",
      "twitch",
      "discord",
      "spotify",
      "cloudflare",
    ]);
  });

  it("include generic, the default, which promises the least", () => {
    expect(parseOptions({}).profile).toEqual(providers.generic);
    expect(providers.generic).toEqual({
      rotation: true,
      graceSeconds: 0,
      replayReturns: "new",
      afterLoss: "retry",
      terminal: [],
      interaction: [],
      misconfigured: [],
      transient: [],
      lost: [],
    });
  });

  it.each(all)("are complete, and accepted as an option: %s", (_name, profile) => {
    expect(Object.keys(profile).sort()).toEqual(Object.keys(genericProvider).sort());
    expect(() => createTokenManager({ provider: profile })).not.toThrow();
    expect(parseOptions({ provider: profile }).profile).toEqual(profile);
    expect(parseOptions({ provider: { ...profile, graceSeconds: 7 } }).profile.graceSeconds).toBe(7);
  });

  it.each(all)("are frozen: %s", (_name, profile) => {
    const lists = LISTS.map((list) => profile[list]);
    for (const each of [providers, profile, ...lists, ...lists.flat()]) expect(Object.isFrozen(each)).toBe(true);
  });

  it("match the table in docs/providers.md", () => {
    expect(rowsOf("The table").map((cells) => cells.slice(0, 5))).toEqual(
      all.map(([name, { rotation, graceSeconds, replayReturns, afterLoss }]) => [
        name,
        rotation ? "yes" : "no",
        graceOf(graceSeconds),
        graceSeconds === 0 ? "" : replayReturns,
        afterLoss,
      ]),
    );
  });

  it("match the table of responses in docs/providers.md", () => {
    const listed = all.flatMap(([name, profile]) =>
      LISTS.filter((list) => profile[list].length > 0).map((list) => [name, profile[list].map(show).join(", "), list]),
    );
    expect(rowsOf("Responses").map((cells) => cells.slice(0, 3))).toEqual(listed);
  });

  it("each have a source in docs/providers.md", () => {
    const sources = rowsOf("Sources");
    expect(sources.map(([name]) => name)).toEqual(all.map(([name]) => name));
    const linked = sources.filter(([, source = ""]) => source.includes("](https://")).map(([name]) => name);
    expect(linked).toEqual(all.map(([name]) => name).filter((name) => name !== "strict"));
  });
});

/** Reads the rows of a table in docs/providers.md, by the heading above it. */
function rowsOf(heading: string): string[][] {
  const text = readFileSync(new URL("../../../../docs/providers.md", import.meta.url), "utf8");
  const [, section = ""] = text.split(`\n## ${heading}\n`);
  const [table = ""] = section.split("\n## ");
  const rows = table.split("\n").filter((line) => /^\| `\w+` +\|/.test(line));
  return rows.map((row) => row.split("|").map((cell) => cell.trim().replaceAll("`", ""))).map(([, ...cells]) => cells);
}

const graceOf = (seconds: number): string =>
  seconds === 0 ? "none" : seconds < Infinity ? `${seconds} s` : "unlimited";

const show = (pattern: ResponsePattern): string =>
  typeof pattern === "string"
    ? pattern
    : `{ ${Object.entries(pattern)
        .map(([member, value]) => `${member}: ${JSON.stringify(value)}`)
        .join(", ")} }`;

describe("a response that is lost while the access token is usable", () => {
  it.each(graceful)("is followed by a retry at once, whose tokens are kept: %s", async (_name, profile) => {
    const { issuer, signIn } = startSession({ provider: profile });
    const manager = await signIn(HOUR);
    const further = { access_token: canary("access", 3), refresh_token: canary("refresh", 3), expires_in: 3600 };
    const isSame = profile.replayReturns === "same";
    issuer.next(lose).next((rotated) => (isSame ? rotated : further), { before: true });
    expect(await manager.refresh()).toMatchObject({ refreshToken: canary("refresh", isSame ? 2 : 3) });
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 1)]);
  });

  it.each(temporary)("is followed by a retry during the grace period only: %s", async (_name, profile) => {
    for (const [early, presented] of [[1, 1] as const, [0, 0] as const]) {
      const { clock, issuer, open, signIn, store } = startSession({ provider: profile });
      await signIn(HOUR);
      const lost = { status: "lost", claimedAt: clock.now(), endedAt: clock.now(), retryIn: 0 };
      await write(store, (record) => ({ ...record, attempt: attempt(1, lost) }));
      await clock.advance(profile.graceSeconds * 1000 - early);
      const renewal = open().refresh();
      if (presented === 0) await expect(renewal).rejects.toMatchObject({ code: "REFRESH_FAILED" });
      else await renewal;
      expect(issuer.presented).toHaveLength(presented);
    }
  });

  it.each(graceless)("is not followed by a retry until the access token expires: %s", async (_name, profile) => {
    const { clock, issuer, signIn } = startSession({ provider: profile });
    const manager = await signIn(HOUR);
    issuer.next(lose, { before: true });
    const end = clock.now() + HOUR;
    await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    await clock.advance(60_000);
    await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED", retryAt: end });
    await clock.advance(HOUR - 60_001);
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
    expect(issuer.presented).toHaveLength(1);
    await clock.advance(1);
    const token = manager.getAccessToken();
    if (profile.afterLoss === "retry") expect(await token).toBe(canary("access", 2));
    else await expect(token).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "response_lost" });
    expect(issuer.presented).toHaveLength(profile.afterLoss === "retry" ? 2 : 1);
  });

  it("does not prevent further use of a refresh token that is reusable: google", async () => {
    const { clock, issuer, record, signIn } = startSession({ provider: providers.google });
    const manager = await signIn(HOUR);
    issuer.next(lose, { before: true });
    await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    await clock.advance(1_000);
    for (const number of [7, 8]) {
      issuer.next(() => ({ access_token: canary("access", number), expires_in: 3600 }), { before: true });
      expect(await manager.refresh()).toMatchObject({ accessToken: canary("access", number) });
      await clock.advance(60_000);
    }
    expect(issuer.presented).toEqual([1, 1, 1].map((number) => canary("refresh", number)));
    expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 1));
  });
});

describe("a response that is lost after the access token has expired", () => {
  it.each(rotating)("is handled as the profile says: %s", async (_name, profile) => {
    const { clock, issuer, signIn } = startSession({ provider: profile });
    const manager = await signIn(0);
    issuer.next(lose, { before: true });
    const first = await manager.getAccessToken().catch((error: unknown) => error);
    await clock.advance(1_000);
    if (profile.afterLoss === "retry") expect(await manager.getAccessToken()).toBe(canary("access", 2));
    else expect(first).toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "response_lost" });
    expect(issuer.presented).toHaveLength(profile.afterLoss === "retry" ? 2 : 1);
  });
});
