import { Readable } from "node:stream";
import { inspect } from "node:util";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it, vi } from "vitest";
import { createAuthorizer, type Origins, type OutgoingRequest, type ResponseInfo } from "../../src/adapter.ts";
import { perRequest, RefreshFailedError, type RequestTokenOptions, SignInRequiredError } from "../../src/index.ts";
import { printed } from "../support/leaks.ts";

const token = canary("access", 1);
const newer = canary("access", 2);
const origin = "https://api.example.com";

/** A token source that records the rejected tokens, and returns or throws `renewed`. */
function source(given: { accessToken?: string; tokenType?: string; renewed?: string | Error } = {}) {
  const { accessToken = token, tokenType = "Bearer", renewed = newer } = given;
  const asked: string[] = [];
  return {
    asked,
    getTokenSet: async () => ({ accessToken, tokenType, extra: {} }),
    replaceRejected: async (rejected: string) => {
      asked.push(rejected);
      if (renewed instanceof Error) throw renewed;
      return renewed;
    },
  };
}

const authorizer = (origins: Origins = [origin], tokens = source()) => createAuthorizer(tokens, { origins });

/** The token that a request to `url` gets. */
const tokenFor = async (by: ReturnType<typeof authorizer>, url: string, options: Partial<OutgoingRequest> = {}) =>
  (await by.authorize({ url: new URL(url), ...options }))?.header.replace(/^Bearer /, "");

/** The token with which a request to `origin` is retried. */
async function tokenAfter(
  by: ReturnType<typeof authorizer>,
  info: Partial<ResponseInfo<string>> = {},
  settings?: RequestTokenOptions,
) {
  const authorization = await by.authorize({ url: new URL(origin), ...(settings && perRequest(settings)) });
  return (await authorization?.renew({ response: "", status: 401, headers: {}, ...info }))?.replace(/^Bearer /, "");
}

describe("the origins option (P9)", () => {
  it.each([
    ["the origin", `${origin}/path?q=1`, token],
    ["its default port, spelled out", `${origin}:443/`, token],
    ["its host in capitals", "https://API.example.com/", token],
    ["another port", `${origin}:8443/`, undefined],
    ["another scheme", "http://api.example.com/", undefined],
    ["a subdomain", "https://x.api.example.com/", undefined],
    ["the parent domain", "https://example.com/", undefined],
    ["the host as a prefix", "https://api.example.com.evil.example/", undefined],
    ["the host as user information", "https://api.example.com@evil.example/", undefined],
    ["the origin as user information and password", "https://api.example.com:443@evil.example/", undefined],
    ["a user name", "https://me@api.example.com/", undefined],
    ["a password alone", "https://:mine@api.example.com/", undefined],
    ["the origin in a path", "https://evil.example/https://api.example.com", undefined],
    ["a trailing dot", "https://api.example.com./", undefined],
    ["a data URL", "data:text/plain,x", undefined],
  ])("decides by the exact origin: %s, %s", async (_name, url, expected) => {
    expect(await tokenFor(authorizer(), url)).toBe(expected);
  });

  it("is copied, so that later changes have no effect", async () => {
    const origins = [origin];
    const fixed = authorizer(origins);
    origins.push("https://evil.example");
    expect(await tokenFor(fixed, "https://evil.example")).toBeUndefined();
  });

  it("accepts a predicate over the whole URL", async () => {
    const predicate = authorizer((url) => url.pathname.startsWith("/api/"));
    expect(await tokenFor(predicate, "https://a.example/api/x")).toBe(token);
    expect(await tokenFor(predicate, "https://a.example/other")).toBeUndefined();
  });

  it.each([[() => Promise.resolve(false)], [() => "yes"], [() => 1], [() => undefined]])(
    "allows nothing if a predicate returns anything but true: %s",
    async (predicate) => {
      expect(await tokenFor(authorizer(predicate as never), origin)).toBeUndefined();
    },
  );

  it.each<[string, unknown, RegExp]>([
    ["null", null, /^origins: expected an array of origins or a function, not null\.$/],
    ["a string", "https://canary.example", /^origins: expected an array .*, not a string\.$/],
    [
      "a path",
      [origin, `${origin}/canary`],
      /^origins\[1\]: expected scheme, host and port, .* a URL with more than these parts\.$/,
    ],
    ["a query", [`${origin}?canary`], /^origins\[0\]: /],
    ["an empty query", [`${origin}?`], /^origins\[0\]: /],
    ["a fragment", [`${origin}#canary`], /^origins\[0\]: /],
    ["user information", ["https://canary@api.example.com"], /^origins\[0\]: /],
    ["a password alone", ["https://:canary@api.example.com"], /^origins\[0\]: /],
    ["a host", ["canary.example"], /^origins\[0\]: .* not a string of another form\.$/],
    ["a pattern", ["https://*.canary.example"], /^origins\[0\]: .* not a pattern; pass a function for that\.$/],
    ["a host and port", ["canary:3000"], /^origins\[0\]: /],
    ["a wildcard alone", ["*"], /^origins\[0\]: /],
    ["a file", ["file:///canary"], /^origins\[0\]: /],
    ["a number", [7], /^origins\[0\]: .* not a number\.$/],
    ["a URL object", [new URL(origin)], /^origins\[0\]: /],
  ])("rejects %s with a TypeError that does not quote it", (_name, origins, message) => {
    const make = () => authorizer(origins as Origins);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
    expect(make).not.toThrow(/canary/);
  });

  it("accepts an origin in capitals with a trailing slash", async () => {
    expect(await tokenFor(authorizer(["HTTPS://API.example.com:443/"]), origin)).toBe(token);
  });
});

describe("a request's own Host header (P9)", () => {
  it.each([
    ["none", undefined, token],
    ["no value", null, token],
    ["the URL's host", "api.example.com", token],
    ["the URL's host in capitals", "API.example.com", token],
    ["the default port", "api.example.com:443", token],
    ["another host", "evil.example", undefined],
    ["another port", "api.example.com:8443", undefined],
    ["the default port of another scheme", "api.example.com:80", undefined],
    ["an empty string", "", undefined],
    ["user information", "evil.example@api.example.com", undefined],
    ["a path", "api.example.com/x", undefined],
    ["two hosts", "api.example.com, evil.example", undefined],
    ["something that is no host", "[", undefined],
  ])("decides about the token: %s", async (_name, host, expected) => {
    expect(await tokenFor(authorizer(), origin, { host })).toBe(expected);
    expect(
      await tokenFor(
        authorizer(() => true),
        `${origin}/path?q`,
        { host },
      ),
    ).toBe(expected);
  });

  it("is compared with the URL's own port", async () => {
    const by = authorizer([`${origin}:8443`]);
    expect(await tokenFor(by, `${origin}:8443/x`, { host: "api.example.com:8443" })).toBe(token);
    expect(await tokenFor(by, `${origin}:8443/x`, { host: "api.example.com" })).toBeUndefined();
  });
});

describe("authorize", () => {
  it.each(["Bearer", "bearer", "BEARER", "bot", "user", "jwt-bearer", "BearerToken", "N_A", "pops", "mac-like", ""])(
    "attaches a token of type %j as Bearer",
    async (tokenType) => {
      const by = authorizer([origin], source({ tokenType }));
      expect((await by.authorize({ url: new URL(origin) }))?.header).toBe(`Bearer ${token}`);
    },
  );

  it.each(["DPoP", "dpop", "PoP", "MAC", "mac"])(
    "rejects a token of type %s, which needs a proof",
    async (tokenType) => {
      const pending = tokenFor(authorizer([origin], source({ tokenType })), origin);
      await expect(pending).rejects.toMatchObject({
        code: "CONFIGURATION",
        message: expect.stringContaining(`"${tokenType}"`),
      });
    },
  );

  it.each(["\n", "\0", "é\u0100", "\ud800", "\u007f"])(
    "rejects a token that a client would quote in an error: %j (P8)",
    async (bad) => {
      const accessToken = `${token}${bad}`;
      const first = await tokenFor(authorizer([origin], source({ accessToken })), origin).catch((error) => error);
      const again = await tokenAfter(authorizer([origin], source({ renewed: accessToken }))).catch((error) => error);
      for (const error of [first, again]) {
        expect(error).toMatchObject({ code: "CONFIGURATION" });
        expect(printed(error)).not.toContain("canary");
      }
    },
  );
});

describe("a 401 (P10, P11)", () => {
  it.each<[string, Partial<ResponseInfo<string>>, string | undefined, number]>([
    ["is retried with a new token", {}, newer, 1],
    ["for an invalid token is retried", { headers: { "www-authenticate": 'Bearer error="invalid_token"' } }, newer, 1],
    ["without a challenge is retried", { headers: {} }, newer, 1],
    [
      "for insufficient scope is not retried",
      { headers: { "www-authenticate": 'Bearer realm="a", error="insufficient_scope"' } },
      undefined,
      0,
    ],
    [
      "for insufficient scope, in a Headers object, is not retried",
      { headers: new Headers({ "WWW-Authenticate": "Bearer error=insufficient_scope" }) },
      undefined,
      0,
    ],
    [
      "that mentions scope in its description is retried",
      { headers: { "www-authenticate": 'Bearer error="invalid_token", error_description="no insufficient_scope"' } },
      newer,
      1,
    ],
    [
      "for insufficient user authentication is not retried",
      { headers: { "www-authenticate": 'Basic realm="a", Bearer error="insufficient_user_authentication"' } },
      undefined,
      0,
    ],
    ["without headers is retried", { headers: undefined }, newer, 1],
    ["from another origin is not retried", { url: "https://evil.example" }, undefined, 0],
    ["from an unknown URL is retried", { url: "" }, newer, 1],
    ["for a stream refreshes the token for the next call", { body: Readable.from(["x"]) }, undefined, 1],
    ["for a web stream refreshes the token for the next call", { body: new Blob(["x"]).stream() }, undefined, 1],
    ["for an iterator refreshes the token for the next call", { body: ["x"].values() }, undefined, 1],
    ["for a body with a mere field called pipe is retried", { body: { pipe: "x", next: 1 } }, newer, 1],
    ["after a redirect is retried", { url: `${origin}/moved` }, newer, 1],
    ["after a redirect of a HEAD is retried", { url: `${origin}/moved`, method: "head" }, newer, 1],
    [
      "after a redirect of a POST refreshes for the next call",
      { url: `${origin}/moved`, method: "post" },
      undefined,
      1,
    ],
    ["for a POST is retried", { url: `${origin}/#part`, method: "POST" }, newer, 1],
    ["for a POST without its empty query is retried", { url: `${origin}/?`, method: "POST" }, newer, 1],
    [
      "for a POST with another query refreshes for the next call",
      { url: `${origin}/?a`, method: "POST" },
      undefined,
      1,
    ],
    ["for a form is retried", { body: new FormData() }, newer, 1],
    ["is not assumed for status 403", { status: 403 }, undefined, 0],
    ["is not assumed for status 200", { status: 200 }, undefined, 0],
    ["is not assumed for status 407", { status: 407 }, undefined, 0],
  ])("%s", async (_name, given, ...[expected, asked]) => {
    const tokens = source();
    expect(await tokenAfter(authorizer([origin], tokens), given)).toBe(expected);
    expect(tokens.asked).toEqual(Array(asked).fill(token));
  });

  it("is returned to the caller if the token was just obtained", async () => {
    const renewed = new RefreshFailedError(0, { reason: "just_obtained" });
    expect(await tokenAfter(authorizer([origin], source({ renewed })))).toBeUndefined();
  });

  it.each([new RefreshFailedError(0), new SignInRequiredError("revoked"), new Error("other")])(
    "causes a rejection if the refresh fails: %s",
    async (renewed) => {
      const failing = authorizer([origin], source({ renewed }));
      await expect(tokenAfter(failing)).rejects.toBe(renewed);
      expect(await tokenAfter(failing, {}, { retry: false })).toBeUndefined(); // and nothing is left unhandled
    },
  );
});

it("retries a POST if the client and the URL encode the query differently", async () => {
  const authorization = await authorizer([origin]).authorize({ url: new URL(`${origin}/?q=a%20b&list[]='`) });
  const info = { response: "", status: 401, headers: {}, method: "POST", url: `${origin}/?q=a+b&list%5B%5D=%27` };
  expect(await authorization?.renew(info)).toBe(`Bearer ${newer}`);
});

it.each([
  [200, undefined, true],
  [403, undefined, true],
  [401, undefined, false],
  [200, () => false, false],
])("accepts status %s at once only if nothing has to be decided", async (status, isUnauthorized, expected) => {
  const authorization = await createAuthorizer(source(), { origins: [origin], isUnauthorized }).authorize({
    url: new URL(origin),
  });
  expect(authorization?.accepts(status)).toBe(expected);
});

describe("isUnauthorized", () => {
  const asking = (info: Partial<ResponseInfo<string>>) => {
    const isUnauthorized = async (response: string) => response === "refused";
    const by = createAuthorizer(source(), { origins: [origin], isUnauthorized });
    return by
      .authorize({ url: new URL(origin) })
      .then((authorization) => authorization?.renew({ response: "", status: 401, headers: {}, ...info }));
  };

  it("takes precedence over the status", async () => {
    expect(await asking({})).toBeUndefined();
    expect(await asking({ status: 200, response: "refused" })).toBe(`Bearer ${newer}`);
    const headers = new Headers({ "www-authenticate": 'Bearer error="insufficient_scope"' });
    expect(await asking({ headers, response: "refused" })).toBe(`Bearer ${newer}`);
  });

  describe("with a promise that never settles (P15)", () => {
    const renewWith = async (signal?: AbortSignal) => {
      const by = createAuthorizer(source(), { origins: [origin], isUnauthorized: () => new Promise(() => {}) });
      const authorization = await by.authorize({ url: new URL(origin), signal });
      return authorization?.renew({ response: "", status: 200, headers: {} });
    };

    it("makes the call reject after 30 seconds", async () => {
      vi.useFakeTimers();
      try {
        const error = renewWith().catch((reason: unknown) => reason);
        await vi.advanceTimersByTimeAsync(29_999);
        expect(vi.getTimerCount()).toBe(1);
        await vi.advanceTimersByTimeAsync(1);
        expect(await error).toMatchObject({ name: "TimeoutError", message: expect.stringContaining("isUnauthorized") });
      } finally {
        vi.useRealTimers();
      }
    });

    it("does not delay an abort", async () => {
      const controller = new AbortController();
      const error = renewWith(controller.signal).catch((reason: unknown) => reason);
      controller.abort("enough");
      expect(await error).toBe("enough");
    });
  });

  it("is not called for a response of another origin", async () => {
    expect(await asking({ url: "https://evil.example", response: "refused" })).toBeUndefined();
  });
});

describe("an authorizer without origins", () => {
  const make = (baseURL?: string) => createAuthorizer(source(), { baseURL });

  it("uses the origin of the base URL", async () => {
    expect(await tokenFor(make(`${origin}/v1`), `${origin}/v2`)).toBe(token);
    expect(await tokenFor(make(`${origin}/v1`), "https://evil.example")).toBeUndefined();
  });

  it.each([undefined, "", "/api", "canary"])("rejects a base URL of %j", (baseURL) => {
    expect(() => make(baseURL)).toThrow(/^origins: needed, because the(re is no base URL| base URL is not absolute)\./);
    expect(() => make(baseURL)).not.toThrow(/canary/);
  });
});

describe("a redirect", () => {
  it.each([
    ["https://api.example.com/b", true],
    ["https://api.example.com/not/b", false],
    ["http://api.example.com/b", false],
    ["https://other.example.com/b", false],
  ])("to %s may be followed: %s", (to, expected) => {
    const by = authorizer(({ pathname }) => !pathname.startsWith("/not"));
    expect(by.mayFollow(new URL(`${origin}/a`), new URL(to))).toBe(expected);
  });
});

describe("a single request", () => {
  const other = source({ accessToken: canary("access", "other"), renewed: canary("access", "other-2") });

  it("can be sent without a token", async () => {
    expect(await tokenFor(authorizer(), origin, perRequest({ tokens: false }))).toBeUndefined();
  });

  it("can use the tokens of another manager, for the same origins", async () => {
    const tokens = source();
    const by = authorizer([origin], tokens);
    expect(await tokenFor(by, origin, perRequest({ tokens: other }))).toBe(canary("access", "other"));
    expect(await tokenFor(by, "https://evil.example", perRequest({ tokens: other }))).toBeUndefined();
    expect(await tokenAfter(by, {}, { tokens: other })).toBe(canary("access", "other-2"));
    expect([tokens.asked, other.asked]).toEqual([[], [canary("access", "other")]]);
  });

  it("can be excluded from retries; the token is then refreshed for the next call", async () => {
    const tokens = source();
    expect(await tokenAfter(authorizer([origin], tokens), {}, { retry: false })).toBeUndefined();
    expect(tokens.asked).toEqual([token]);
    expect(await tokenAfter(authorizer([origin], tokens), {}, { retry: true })).toBe(newer);
  });

  it.each([
    [{ tokens: "canary" }, /^tokens: expected a token manager or false, not a string\.$/],
    [{ tokens: true }, /^tokens: /],
    [{ tokens: { replaceRejected: () => "" } }, /^tokens: /],
    [{ tokens: {} }, /^tokens: .* not another object\.$/],
    [{ retry: 3 }, /^retry: expected true or false, not 3\.$/],
    [{ retry: null }, /^retry: /],
  ])("rejects the option %j", (settings, message) => {
    expect(() => perRequest(settings as never)).toThrow(message);
  });
});

it("hides its token when printed (P8)", async () => {
  const authorization = await authorizer().authorize({ url: new URL(origin) });
  expect(authorization?.header).toContain("canary");
  const shown = inspect(authorization, { depth: null, showHidden: true }) + JSON.stringify(authorization);
  expect(shown).not.toContain("canary");
});
