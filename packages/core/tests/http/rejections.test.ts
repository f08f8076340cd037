/** The responses that reject a token, and what a token source learns about them. */
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it, vi } from "vitest";
import { createAuthorizer, type ResponseInfo } from "../../src/adapter.ts";
import { perRequest, type TokenSource } from "../../src/index.ts";

const origin = "https://api.example.com";
const url = new URL(origin);
const token = canary("access", 1);
const newer = `Bearer ${canary("access", 2)}`;
const insufficient = { "www-authenticate": 'Bearer error="insufficient_scope"' };

function source(isRejection?: (status: number) => boolean) {
  const replaceRejected = vi.fn<TokenSource["replaceRejected"]>(async () => canary("access", 2));
  const getTokenSet = async () => ({ accessToken: token, tokenType: "Bearer", extra: {} });
  return { getTokenSet, replaceRejected, ...(isRejection && { isRejection }) };
}

/** Returns the header for the retry after a response. */
async function retryOf(tokens: TokenSource, info: Partial<ResponseInfo<string>>, isUnauthorized?: () => boolean) {
  const authorization = await createAuthorizer<string>(tokens, { origins: [origin], isUnauthorized }).authorize({
    url,
  });
  return authorization?.renew({ response: "", status: 401, headers: undefined, ...info });
}

describe("the response that rejects a token", () => {
  it.each([
    ["a Headers object", new Headers({ "Retry-After": "7" })],
    ["a plain object", { "Retry-After": "7", "x-list": ["a", "b"] }],
    ["a number", { "retry-after": 7 }],
  ])("is passed on to the source, with its headers: %s", async (_name, headers) => {
    const tokens = source();
    expect(await retryOf(tokens, { headers })).toBe(newer);
    const [rejected, options] = tokens.replaceRejected.mock.calls[0] ?? [];
    expect(rejected).toBe(token);
    expect(options?.response?.status).toBe(401);
    const names = ["retry-after", "Retry-After", "x-other"];
    expect(names.map((name) => options?.response?.headers?.get(name))).toEqual(["7", "7", null]);
  });

  it("has no headers if the client has none", async () => {
    const tokens = source();
    await retryOf(tokens, {});
    expect(tokens.replaceRejected.mock.calls[0]?.[1]?.response).toEqual({ status: 401, headers: undefined });
  });

  it("is passed on if isUnauthorized selects it", async () => {
    const tokens = source();
    await retryOf(tokens, { status: 419 }, () => true);
    expect(tokens.replaceRejected.mock.calls[0]?.[1]?.response?.status).toBe(419);
  });
});

describe("the statuses that reject a token", () => {
  const pool = (status: number) => [401, 402, 429].includes(status);

  it.each<[string, typeof pool | undefined, readonly number[]]>([
    ["401 by default", undefined, [401]],
    ["those that the source names", pool, [401, 402, 429]],
    ["not 401, if the source does not name it", (status) => status === 429, [429]],
    ["none, if the source returns anything but true", () => "yes" as never, []],
  ])("are %s", async (_name, isRejection, expected) => {
    const retried: number[] = [];
    for (const status of [200, 401, 402, 403, 429, 503]) {
      if (await retryOf(source(isRejection), { status })) retried.push(status);
    }
    expect(retried).toEqual(expected);
  });

  it("do not count if the response is about rights, or isUnauthorized decides", async () => {
    expect(
      await retryOf(
        source(() => true),
        { status: 403, headers: insufficient },
      ),
    ).toBeUndefined();
    expect(await retryOf(source(pool), { status: 429 }, () => false)).toBeUndefined();
  });

  it("are those of the request's own source", async () => {
    const authorizer = createAuthorizer<string>(source(), { origins: [origin] });
    const authorization = await authorizer.authorize({ url, ...perRequest({ tokens: source(pool) }) });
    expect(await authorization?.renew({ response: "", status: 429, headers: {} })).toBe(newer);
  });

  it("reject the retry if the source's function throws", async () => {
    const broken = () => {
      throw new Error("broken");
    };
    await expect(retryOf(source(broken), { status: 200 })).rejects.toThrow("broken");
  });
});
