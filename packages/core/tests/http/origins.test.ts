import { canary } from "@unexpired-internal/test-support/canary";
import { afterEach, describe, expect, it } from "vitest";
import { type AuthorizerOptions, createAuthorizer } from "../../src/adapter.ts";
import { createFetch, createTokenManager, perRequest } from "../../src/index.ts";

const source = {
  getTokenSet: async () => ({ accessToken: canary("access", 1), tokenType: "Bearer", extra: {} }),
  replaceRejected: async () => canary("access", 2),
};
const authorizer = (options: AuthorizerOptions<string>) => createAuthorizer(source, options);
const getsToken = async (by: ReturnType<typeof authorizer>, url: string) =>
  (await by.authorize({ url: new URL(url) })) !== undefined;

describe("an origin with plain http", () => {
  it.each(["http://localhost:3000", "http://127.0.0.1", "http://127.8.0.1:80", "http://[::1]:3000"])(
    "is accepted on loopback: %s",
    async (origin) => {
      expect(await getsToken(authorizer({ origins: [origin] }), origin)).toBe(true);
      expect(await getsToken(authorizer({ origins: () => true }), origin)).toBe(true);
      expect(await getsToken(authorizer({ baseURL: `${origin}/v1` }), origin)).toBe(true);
    },
  );

  const insecure = [
    "http://canary.example",
    "http://10.0.0.1:8080",
    "http://localhost.canary.example",
    "http://canary.localhost",
    "http://127.0.0.1.canary.example",
    "http://[::ffff:a00:1]",
  ];

  it.each(insecure)("is rejected beyond loopback, and not quoted: %s", (origin) => {
    const secure = "https://api.example.com";
    const make = () => authorizer({ origins: [secure, origin] });
    expect(make).toThrow(TypeError);
    expect(make).toThrow(/^origins\[1\]: plain http would reveal the token .* allowInsecure: true/);
    expect(make).not.toThrow(/canary/);
    expect(() => authorizer({ baseURL: `${origin}/v1` })).toThrow(/^baseURL: plain http would reveal the token/);
  });

  it.each(insecure)("is accepted with allowInsecure: %s", async (origin) => {
    expect(await getsToken(authorizer({ origins: [origin], allowInsecure: true }), origin)).toBe(true);
    expect(await getsToken(authorizer({ baseURL: origin, allowInsecure: true }), origin)).toBe(true);
    expect(await getsToken(authorizer({ origins: () => true, allowInsecure: true }), origin)).toBe(true);
  });

  it.each(insecure)("gets no token from a predicate without allowInsecure, which is not asked: %s", async (origin) => {
    const asked: URL[] = [];
    const by = authorizer({ origins: (url) => asked.push(url) > 0 });
    expect(await getsToken(by, origin)).toBe(false);
    expect(by.mayFollow(new URL(origin), new URL(`${origin}/b`))).toBe(false);
    expect(asked).toEqual([]);
  });

  it.each(["true", 1, {}, null, false])("needs allowInsecure to be true, not %j", (allowInsecure) => {
    expect(() => authorizer({ origins: ["http://a.example"], allowInsecure: allowInsecure as never })).toThrow(
      TypeError,
    );
  });
});

describe("an option that Object.prototype has", () => {
  const polluted: string[] = [];
  afterEach(() => {
    for (const name of polluted.splice(0)) Reflect.deleteProperty(Object.prototype, name);
  });
  const pollute = (name: string, value: unknown) => {
    polluted.push(name);
    Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
  };
  const evil = "https://evil.example";

  it("does not set the origins of an authorizer", async () => {
    pollute("origins", [evil]);
    expect(await getsToken(authorizer({ baseURL: "https://api.example.com" }), evil)).toBe(false);
    expect(() => authorizer({})).toThrow(/^origins: needed/);
  });

  it("does not set the base URL of an authorizer", () => {
    pollute("baseURL", evil);
    expect(() => authorizer({})).toThrow(/^origins: needed, because there is no base URL/);
  });

  it("does not allow plain http", () => {
    pollute("allowInsecure", true);
    expect(() => authorizer({ origins: ["http://a.example"] })).toThrow(/^origins\[0\]: plain http/);
    expect(() => createFetch(source, { origins: ["http://a.example"] })).toThrow(/^origins\[0\]: plain http/);
  });

  it("does not judge a response", async () => {
    pollute("isUnauthorized", () => true);
    const authorization = await authorizer({ origins: [evil] }).authorize({ url: new URL(evil) });
    expect(await authorization?.renew({ response: "", status: 200, headers: {} })).toBeUndefined();
  });

  it("does not set the options of createFetch", async () => {
    pollute("origins", [evil]);
    expect(() => createFetch(source, {} as never)).toThrow(/^origins: expected .* not undefined/);
    pollute("fetch", () => Promise.reject(new Error("not this one")));
    const send = createFetch(source, { origins: [] });
    expect(await (await send("data:,own")).text()).toBe("own");
  });

  it("does not change a single request", async () => {
    const sent: (string | null)[] = [];
    const record: typeof fetch = async (_input, init) => {
      sent.push(new Headers(init?.headers).get("authorization"));
      return new Response();
    };
    const send = createFetch(source, { origins: [evil], fetch: record });
    pollute("tokens", false);
    await send(evil, perRequest({}));
    pollute("unexpired", () => ({ tokens: false }));
    await send(evil);
    await send(evil, {});
    await send(new Request(evil));
    expect(sent).toEqual(Array(4).fill(`Bearer ${canary("access", 1)}`));
  });

  it("does not set the options of a token manager", () => {
    pollute("store", "no store");
    pollute("refresh", "no function");
    expect(() => createTokenManager({})).not.toThrow();
  });
});

it("reads the options of a single request once", async () => {
  const options = { tokens: false as const };
  const { unexpired } = perRequest(options);
  Reflect.deleteProperty(options, "tokens");
  expect(unexpired().tokens).toBe(false);
});
