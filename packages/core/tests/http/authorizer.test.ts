import { Readable } from "node:stream";
import { inspect } from "node:util";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
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

/** The token that a request to `origin` is sent once more with. */
async function tokenAfter(
  by: ReturnType<typeof authorizer>,
  answer: Partial<ResponseInfo<string>> = {},
  settings?: RequestTokenOptions,
) {
  const authorization = await by.authorize({ url: new URL(origin), ...(settings && perRequest(settings)) });
  return (await authorization?.renew({ response: "", status: 401, headers: {}, ...answer }))?.replace(/^Bearer /, "");
}

describe("where tokens go (P9)", () => {
  it.each([
    ["the origin", `${origin}/path?q=1`, token],
    ["its default port, spelled out", `${origin}:443/`, token],
    ["its host in capitals", "https://API.example.com/", token],
    ["another port", `${origin}:8443/`, undefined],
    ["another scheme", "http://api.example.com/", undefined],
    ["a subdomain", "https://x.api.example.com/", undefined],
    ["the parent domain", "https://example.com/", undefined],
    ["a suffix of it", "https://api.example.com.evil.example/", undefined],
    ["it as user information", "https://api.example.com@evil.example/", undefined],
    ["it as user information and password", "https://api.example.com:443@evil.example/", undefined],
    ["a user name", "https://me@api.example.com/", undefined],
    ["a password alone", "https://:mine@api.example.com/", undefined],
    ["it in a path", "https://evil.example/https://api.example.com", undefined],
    ["a trailing dot", "https://api.example.com./", undefined],
    ["a data URL", "data:text/plain,x", undefined],
  ])("%s: %s", async (_name, url, expected) => {
    expect(await tokenFor(authorizer(), url)).toBe(expected);
  });

  it("is fixed when attached", async () => {
    const origins = [origin];
    const fixed = authorizer(origins);
    origins.push("https://evil.example");
    expect(await tokenFor(fixed, "https://evil.example")).toBeUndefined();
  });

  it("may be a predicate over the whole URL", async () => {
    const predicate = authorizer((url) => url.pathname.startsWith("/api/"));
    expect(await tokenFor(predicate, "https://a.example/api/x")).toBe(token);
    expect(await tokenFor(predicate, "https://a.example/other")).toBeUndefined();
  });

  it.each([[() => Promise.resolve(false)], [() => "yes"], [() => 1], [() => undefined]])(
    "attaches no token if a predicate returns anything but true: %s",
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
    ["a host", ["canary.example"], /^origins\[0\]: .* not a string\.$/],
    ["a host and port", ["canary:3000"], /^origins\[0\]: /],
    ["a wildcard alone", ["*"], /^origins\[0\]: /],
    ["a file", ["file:///canary"], /^origins\[0\]: /],
    ["a number", [7], /^origins\[0\]: .* not a number\.$/],
    ["a URL object", [new URL(origin)], /^origins\[0\]: /],
  ])("%s is a TypeError, without its value", (_name, origins, message) => {
    const make = () => authorizer(origins as Origins);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
    expect(make).not.toThrow(/canary/);
  });

  it("takes an origin with a trailing slash, and in capitals", async () => {
    expect(await tokenFor(authorizer(["HTTPS://API.example.com:443/"]), origin)).toBe(token);
  });
});

describe("what is attached", () => {
  it.each(["Bearer", "bearer", "BEARER"])("a token of type %s", async (tokenType) => {
    expect(await tokenFor(authorizer([origin], source({ tokenType })), origin)).toBe(token);
  });

  it("none of another type", async () => {
    const pending = tokenFor(authorizer([origin], source({ tokenType: "DPoP" })), origin);
    await expect(pending).rejects.toMatchObject({ code: "CONFIGURATION", message: expect.stringContaining('"DPoP"') });
  });

  it.each(["\n", "\0", "é\u0100", "\ud800", "\u007f"])(
    "none that a client would quote in an error: %j (P8)",
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
    ["is replaced", {}, newer, 1],
    [
      "about an invalid token is replaced",
      { headers: { "www-authenticate": 'Bearer error="invalid_token"' } },
      newer,
      1,
    ],
    ["without a header is replaced", { headers: {} }, newer, 1],
    [
      "about scope is not",
      { headers: { "www-authenticate": 'Bearer realm="a", error="insufficient_scope"' } },
      undefined,
      0,
    ],
    [
      "about scope, in Headers, is not",
      { headers: new Headers({ "WWW-Authenticate": "Bearer error=insufficient_scope" }) },
      undefined,
      0,
    ],
    [
      "that mentions scope in its description is replaced",
      { headers: { "www-authenticate": 'Bearer error="invalid_token", error_description="no insufficient_scope"' } },
      newer,
      1,
    ],
    ["from elsewhere is not", { url: "https://evil.example" }, undefined, 0],
    ["from where the client does not tell is replaced", { url: "" }, newer, 1],
    ["for a stream renews, for the next call", { body: Readable.from(["x"]) }, undefined, 1],
    ["for a web stream renews, for the next call", { body: new Blob(["x"]).stream() }, undefined, 1],
    ["for an iterator renews, for the next call", { body: ["x"].values() }, undefined, 1],
    ["for a body that only has a field called pipe is replaced", { body: { pipe: "x", next: 1 } }, newer, 1],
    ["after a redirect is replaced", { url: `${origin}/moved` }, newer, 1],
    ["after a redirect of a HEAD is replaced", { url: `${origin}/moved`, method: "head" }, newer, 1],
    ["after a redirect of a POST renews, for the next call", { url: `${origin}/moved`, method: "post" }, undefined, 1],
    ["of a POST is replaced", { url: `${origin}/#part`, method: "POST" }, newer, 1],
    ["for a form is replaced", { body: new FormData() }, newer, 1],
    ["is not: 403", { status: 403 }, undefined, 0],
    ["is not: 200", { status: 200 }, undefined, 0],
    ["is not: 407", { status: 407 }, undefined, 0],
  ])("%s", async (_name, given, ...[expected, asked]) => {
    const tokens = source();
    expect(await tokenAfter(authorizer([origin], tokens), given)).toBe(expected);
    expect(tokens.asked).toEqual(Array(asked).fill(token));
  });

  it("is the caller's if the token was just obtained", async () => {
    const renewed = new RefreshFailedError(0, { reason: "just_obtained" });
    expect(await tokenAfter(authorizer([origin], source({ renewed })))).toBeUndefined();
  });

  it.each([new RefreshFailedError(0), new SignInRequiredError("revoked"), new Error("other")])(
    "throws %s",
    async (renewed) => {
      const failing = authorizer([origin], source({ renewed }));
      await expect(tokenAfter(failing)).rejects.toBe(renewed);
      expect(await tokenAfter(failing, {}, { retry: false })).toBeUndefined(); // and nothing is left unhandled
    },
  );
});

describe("isUnauthorized", () => {
  const asking = (answer: Partial<ResponseInfo<string>>) => {
    const isUnauthorized = async (response: string) => response === "refused";
    const by = createAuthorizer(source(), { origins: [origin], isUnauthorized });
    return by
      .authorize({ url: new URL(origin) })
      .then((authorization) => authorization?.renew({ response: "", status: 401, headers: {}, ...answer }));
  };

  it("decides in place of the status", async () => {
    expect(await asking({})).toBeUndefined();
    expect(await asking({ status: 200, response: "refused" })).toBe(`Bearer ${newer}`);
    const headers = new Headers({ "www-authenticate": 'Bearer error="insufficient_scope"' });
    expect(await asking({ headers, response: "refused" })).toBe(`Bearer ${newer}`);
  });

  it("is not called for a response of another origin", async () => {
    expect(await asking({ url: "https://evil.example", response: "refused" })).toBeUndefined();
  });
});

describe("without origins", () => {
  const make = (baseURL?: string) => createAuthorizer(source(), { baseURL });

  it("uses the origin of the base URL", async () => {
    expect(await tokenFor(make(`${origin}/v1`), `${origin}/v2`)).toBe(token);
    expect(await tokenFor(make(`${origin}/v1`), "https://evil.example")).toBeUndefined();
  });

  it.each([undefined, "", "/api", "canary"])("a base URL of %j is a TypeError", (baseURL) => {
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
  ])("to %s: %s", (to, expected) => {
    const by = authorizer(({ pathname }) => !pathname.startsWith("/not"));
    expect(by.mayFollow(new URL(`${origin}/a`), new URL(to))).toBe(expected);
  });
});

describe("a single request", () => {
  const other = source({ accessToken: canary("access", "other"), renewed: canary("access", "other-2") });

  it("goes without the token", async () => {
    expect(await tokenFor(authorizer(), origin, perRequest({ tokens: false }))).toBeUndefined();
  });

  it("has another manager's, to the same origins, which renews it", async () => {
    const tokens = source();
    const by = authorizer([origin], tokens);
    expect(await tokenFor(by, origin, perRequest({ tokens: other }))).toBe(canary("access", "other"));
    expect(await tokenFor(by, "https://evil.example", perRequest({ tokens: other }))).toBeUndefined();
    expect(await tokenAfter(by, {}, { tokens: other })).toBe(canary("access", "other-2"));
    expect([tokens.asked, other.asked]).toEqual([[], [canary("access", "other")]]);
  });

  it("is not sent again; the token is renewed for the next call", async () => {
    const tokens = source();
    expect(await tokenAfter(authorizer([origin], tokens), {}, { retry: false })).toBeUndefined();
    expect(tokens.asked).toEqual([token]);
    expect(await tokenAfter(authorizer([origin], tokens), {}, { retry: true })).toBe(newer);
  });

  it.each([
    [{ tokens: "canary" }, /^tokens: expected a token manager or false, not a string\.$/],
    [{ tokens: true }, /^tokens: /],
    [{ tokens: {} }, /^tokens: .* not an object of another shape\.$/],
    [{ retry: 3 }, /^retry: expected true or false, not a number\.$/],
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
