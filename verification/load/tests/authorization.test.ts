import { expect, it } from "vitest";
import { Authorization, type AuthorizationOptions } from "../authorization.ts";

/** A server with one user, whose clock stands still. */
function startUser(options: Partial<AuthorizationOptions> = {}) {
  const clock = { now: 0 };
  const server = new Authorization({ lifetime: 20, grace: 0, ...options }, () => clock.now);
  return { server, clock, first: server.start("alice") };
}

it("replaces both tokens in an exchange, and counts it for the user", () => {
  const { server, first } = startUser();
  const second = server.exchange(first.refreshToken, "a");
  expect(second?.refreshToken).not.toBe(first.refreshToken);
  expect(server.userOf(second?.accessToken ?? "")).toBe("alice");
  expect(server.report()).toEqual({ exchanges: { alice: 1 }, replays: 0, repeated: 0, revoked: 0 });
});

it("revokes the grant when a refresh token is presented twice", () => {
  const { server, first } = startUser();
  const second = server.exchange(first.refreshToken, "a");
  expect(server.exchange(first.refreshToken, "b")).toBeUndefined();
  expect(server.userOf(second?.accessToken ?? "")).toBeUndefined();
  expect(server.exchange(second?.refreshToken ?? "", "a")).toBeUndefined();
  expect(server.report()).toEqual({ exchanges: { alice: 1 }, replays: 1, repeated: 0, revoked: 1 });
});

it("accepts a spent refresh token in the grace period, and counts the replay", () => {
  const { server, clock, first } = startUser({ grace: 60 });
  server.exchange(first.refreshToken, "a");
  clock.now = 59_999;
  expect(server.exchange(first.refreshToken, "b")).toBeDefined();
  expect(server.report()).toMatchObject({ exchanges: { alice: 1 }, replays: 1, revoked: 0 });
});

it("counts a refresh token as repeated, not as replayed, if its response died with a killed process", () => {
  const { server, first } = startUser({ grace: 60 });
  server.exchange(first.refreshToken, "killed");
  server.kill("killed");
  server.exchange(first.refreshToken, "b");
  expect(server.report()).toMatchObject({ replays: 0, repeated: 1 });
});

it("counts a replay if the response of a killed process was used", () => {
  const { server, first } = startUser({ grace: 60 });
  const second = server.exchange(first.refreshToken, "killed");
  server.kill("killed");
  server.userOf(second?.accessToken ?? "");
  server.exchange(first.refreshToken, "b");
  expect(server.report()).toMatchObject({ replays: 1, repeated: 0 });
});

it("accepts an access token until it expires", () => {
  const { server, clock, first } = startUser();
  clock.now = 19_999;
  expect(server.userOf(first.accessToken)).toBe("alice");
  clock.now = 20_000;
  expect(server.userOf(first.accessToken)).toBeUndefined();
  expect(server.userOf("unknown")).toBeUndefined();
});
