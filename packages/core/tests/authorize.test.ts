import { describe, expect, it } from "vitest";
import { canary } from "../../../tests/support/canary.ts";
import { type Answer, createAuthorizer, type Origins, RefreshFailedError, SignInRequiredError } from "../src/index.ts";
import { printed } from "./support/leaks.ts";

const token = canary("access", 1);
const newer = canary("access", 2);
const origin = "https://api.example.com";

/** A token source that records what it is asked, and answers as told. */
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
const answer = (given: Partial<Answer> = {}): Answer => ({
  status: 401,
  wwwAuthenticate: null,
  url: new URL(origin),
  accessToken: token,
  replayable: true,
  ...given,
});

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
    ["it in a path", "https://evil.example/https://api.example.com", undefined],
    ["a trailing dot", "https://api.example.com./", undefined],
    ["a data URL", "data:text/plain,x", undefined],
  ])("%s: %s", async (_name, url, expected) => {
    expect(await authorizer().tokenFor(new URL(url))).toBe(expected);
  });

  it("is fixed when attached", async () => {
    const origins = [origin];
    const { tokenFor } = authorizer(origins);
    origins.push("https://evil.example");
    expect(await tokenFor(new URL("https://evil.example"))).toBeUndefined();
  });

  it("may be a predicate over the whole URL", async () => {
    const { tokenFor } = authorizer((url) => url.pathname.startsWith("/api/"));
    expect(await tokenFor(new URL("https://a.example/api/x"))).toBe(token);
    expect(await tokenFor(new URL("https://a.example/other"))).toBeUndefined();
  });

  it.each([[() => Promise.resolve(false)], [() => "yes"], [() => 1], [() => undefined]])(
    "is nowhere where a predicate returns anything but true: %s",
    async (predicate) => {
      expect(await authorizer(predicate as never).tokenFor(new URL(origin))).toBeUndefined();
    },
  );

  it.each<[string, unknown, RegExp]>([
    ["null", null, /^origins: expected an array of origins or a function, not null\.$/],
    ["a string", "https://canary.example", /^origins: expected an array .*, not a string\.$/],
    ["a path", [origin, `${origin}/canary`], /^origins\[1\]: expected scheme, host and port, .* with more in it\.$/],
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
    const { tokenFor } = authorizer(["HTTPS://API.example.com:443/"]);
    expect(await tokenFor(new URL(origin))).toBe(token);
  });
});

describe("what is attached", () => {
  it.each(["Bearer", "bearer", "BEARER"])("a token of type %s", async (tokenType) => {
    expect(await authorizer([origin], source({ tokenType })).tokenFor(new URL(origin))).toBe(token);
  });

  it("none of another type", async () => {
    const pending = authorizer([origin], source({ tokenType: "DPoP" })).tokenFor(new URL(origin));
    await expect(pending).rejects.toMatchObject({ code: "CONFIGURATION", message: expect.stringContaining('"DPoP"') });
  });

  it.each(["\n", "\0", "é\u0100", "\ud800", "\u007f"])(
    "none that a client would quote in an error: %j (P8)",
    async (bad) => {
      const accessToken = `${token}${bad}`;
      const first = await authorizer([origin], source({ accessToken }))
        .tokenFor(new URL(origin))
        .catch((error) => error);
      const again = await authorizer([origin], source({ renewed: accessToken }))
        .tokenAfter(answer())
        .catch((error) => error);
      for (const error of [first, again]) {
        expect(error).toMatchObject({ code: "CONFIGURATION" });
        expect(printed(error)).not.toContain("canary");
      }
    },
  );
});

describe("a 401 (P10, P11)", () => {
  it.each<[string, Partial<Answer>, string | undefined, number]>([
    ["is replaced", {}, newer, 1],
    ["about an invalid token is replaced", { wwwAuthenticate: 'Bearer error="invalid_token"' }, newer, 1],
    ["without a header is replaced", { wwwAuthenticate: undefined }, newer, 1],
    ["about scope is not", { wwwAuthenticate: 'Bearer realm="a", error="insufficient_scope"' }, undefined, 0],
    [
      "that mentions scope in its description is replaced",
      { wwwAuthenticate: 'Bearer error="invalid_token", error_description="no insufficient_scope"' },
      newer,
      1,
    ],
    ["from elsewhere is not", { url: new URL("https://evil.example") }, undefined, 0],
    ["for a body that is gone renews, for the next call", { replayable: false }, undefined, 1],
    ["that is none: 403", { status: 403 }, undefined, 0],
    ["that is none: 200", { status: 200 }, undefined, 0],
    ["that is none: 407", { status: 407 }, undefined, 0],
  ])("%s", async (_name, given, ...[expected, asked]) => {
    const tokens = source();
    expect(await authorizer([origin], tokens).tokenAfter(answer(given))).toBe(expected);
    expect(tokens.asked).toEqual(Array(asked).fill(token));
  });

  it("is the caller's where the token was just obtained", async () => {
    const renewed = new RefreshFailedError(0, { because: "just_obtained" });
    expect(await authorizer([origin], source({ renewed })).tokenAfter(answer())).toBeUndefined();
  });

  it.each([new RefreshFailedError(0), new SignInRequiredError("revoked"), new Error("other")])(
    "throws %s",
    async (renewed) => {
      const { tokenAfter } = authorizer([origin], source({ renewed }));
      await expect(tokenAfter(answer())).rejects.toBe(renewed);
      expect(await tokenAfter(answer({ replayable: false }))).toBeUndefined(); // and nothing is left unhandled
    },
  );
});
