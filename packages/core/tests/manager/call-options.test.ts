import { canary } from "@unexpired-internal/test-support/canary";
import { afterEach, expect, it } from "vitest";
import { startSession } from "../support/session.ts";

const polluted: string[] = [];
afterEach(() => {
  for (const name of polluted.splice(0)) Reflect.deleteProperty(Object.prototype, name);
});

const pollute = (name: string, value: unknown) => {
  polluted.push(name);
  Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
};

it("a minValidity that Object.prototype has is ignored, as are other inherited options", async () => {
  const { issuer, open, signIn } = startSession();
  const manager = await signIn();
  pollute("minValidity", 1e12);
  expect(await manager.getAccessToken({})).toBe(canary("access", 1));
  expect((await manager.getTokenSet({ signal: new AbortController().signal })).accessToken).toBe(canary("access", 1));
  expect(await open().getAccessToken({})).toBe(canary("access", 1)); // loads the session first
  expect(issuer.presented).toEqual([]);
});

it("a revoke that Object.prototype has gets no tokens", async () => {
  const { issuer, signIn } = startSession();
  const received: unknown[] = [];
  for (const options of [undefined, {}]) {
    const manager = await signIn();
    pollute("revoke", (tokens: unknown) => received.push(tokens));
    expect(await manager.signOut(options)).toEqual({ revoked: true });
  }
  expect(received).toEqual([]);
  expect(issuer.revoked).toHaveLength(2);
});

it("a revoke of false revokes nothing", async () => {
  const { issuer, signIn } = startSession();
  expect(await (await signIn()).signOut({ revoke: false })).toEqual({ revoked: false });
  expect(issuer.revoked).toEqual([]);
});
