import { inspect } from "node:util";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { createTokenManager, tokenSetFromResponse } from "../../src/index.ts";
import { parseRecord, serializeRecord } from "../../src/record/record.ts";
import {
  accountOf,
  mergeTokenSets,
  parseReturnedTokens,
  parseTokenResponse,
  parseTokenSet,
  parseTokenUpdate,
  secretsOf,
} from "../../src/tokens/token-set.ts";
import type { TokenResponse, TokenSet } from "../../src/types.ts";
import { jwt } from "../support/jwt.ts";
import { printed } from "../support/leaks.ts";

const SENT_AT = Date.UTC(2026, 0, 1);
const NOW = SENT_AT / 1000;
const LAST_DATE = 8.64e15;
const parse = (response: object) => parseTokenResponse({ access_token: "a", ...response }, SENT_AT);

describe("expiry, counted from when the request was sent", () => {
  it.each<[string, object, number | undefined]>([
    ["a number of seconds", { expires_in: 3600 }, SENT_AT + 3_600_000],
    ["a numeric string", { expires_in: "3600" }, SENT_AT + 3_600_000],
    ["a fraction", { expires_in: 0.5 }, SENT_AT + 500],
    ["zero, for never", { expires_in: 0 }, undefined],
    ["zero beside a JWT", { access_token: jwt({ exp: NOW + 60, iat: NOW }), expires_in: 0 }, SENT_AT + 60_000],
    ["a JWT's exp - iat", { access_token: jwt({ exp: NOW + 7200, iat: NOW + 3600 }) }, SENT_AT + 3_600_000],
    [
      "expires_in that is longer than a JWT's exp - iat",
      { access_token: jwt({ exp: NOW + 60, iat: NOW }), expires_in: 3600 },
      SENT_AT + 60_000,
    ],
    [
      "expires_in beside a JWT's exp that is sooner",
      { access_token: jwt({ exp: NOW + 60 }), expires_in: 90 },
      SENT_AT + 90_000,
    ],
    ["a negative number", { expires_in: -1 }, undefined],
    ["no value", {}, undefined],
    ["null", { expires_in: null }, undefined],
    ["an empty string", { expires_in: "" }, undefined],
    ["a word", { expires_in: "soon" }, undefined],
    ["a boolean", { expires_in: true }, undefined],
    ["an object", { expires_in: {} }, undefined],
    ["infinity", { expires_in: "Infinity" }, undefined],
    ["a huge number, limited to what a Date can hold", { expires_in: 1e300 }, LAST_DATE],
    ["an even larger number", { expires_in: 1e308 }, LAST_DATE],
    ["a JWT's exp", { access_token: jwt({ exp: NOW + 60 }) }, SENT_AT + 60_000],
    ["a JWT's fractional exp", { access_token: jwt({ exp: NOW + 0.5 }) }, SENT_AT + 500],
    ["expires_in before a JWT's exp", { access_token: jwt({ exp: NOW + 60 }), expires_in: 30 }, SENT_AT + 30_000],
    [
      "an invalid expires_in beside a JWT's exp",
      { access_token: jwt({ exp: NOW + 60 }), expires_in: "?" },
      SENT_AT + 60_000,
    ],
    [
      "a JWT that had expired on arrival, by our clock",
      { access_token: jwt({ exp: NOW - 60, iat: NOW - 90 }) },
      SENT_AT + 30_000,
    ],
    ["the same at the boundary", { access_token: jwt({ exp: NOW, iat: NOW - 30 }) }, SENT_AT + 30_000],
    ["the same, without iat", { access_token: jwt({ exp: NOW - 60 }) }, undefined],
    ["the same, with an iat after exp", { access_token: jwt({ exp: NOW - 60, iat: NOW }) }, undefined],
    ["a JWT without exp", { access_token: jwt({ sub: "x" }) }, undefined],
    ["a JWT's exp of 0", { access_token: jwt({ exp: 0 }) }, undefined],
    ["a JWT's negative exp", { access_token: jwt({ exp: -1 }) }, undefined],
    ["a JWT's exp as a string", { access_token: jwt({ exp: `${NOW}` }) }, undefined],
    ["a JWT's huge exp", { access_token: jwt({ exp: 1e300 }) }, LAST_DATE],
    ["a JWT whose claims are an array", { access_token: jwt([1]) }, undefined],
    ["a JWT whose claims are null", { access_token: jwt(null) }, undefined],
    ["an opaque token with dots", { access_token: "opaque.with.dots" }, undefined],
    ["an encrypted JWT", { access_token: "e30.a.b.c.d" }, undefined],
    ["dots alone", { access_token: ".." }, undefined],
  ])("is computed for %s", (_name, response, expiresAt) => {
    expect(parse(response)?.expiresAt).toBe(expiresAt);
  });

  it("survives being stored, whatever its value", () => {
    for (const expires_in of [0, 1e300, 1e308, "Infinity", Number.NaN]) {
      const tokens = parse({ expires_in }) as TokenSet;
      const value = serializeRecord({ schema: 1, tokens, obtainedAt: SENT_AT, spent: [] });
      expect(parseRecord(value, "x").tokens).toEqual(tokens);
    }
  });
});

describe("the expiry of a refresh token", () => {
  it.each<[string, object, number | undefined]>([
    ["Google's and GitHub's name", { refresh_token_expires_in: 60 }, SENT_AT + 60_000],
    ["Keycloak's name", { refresh_expires_in: 1800 }, SENT_AT + 1_800_000],
    ["Intuit's name", { x_refresh_token_expires_in: 8_726_400 }, SENT_AT + 8_726_400_000],
    ["a text", { refresh_token_expires_in: "60" }, SENT_AT + 60_000],
    ["fractions of a second", { refresh_expires_in: 1.5 }, SENT_AT + 1_500],
    ["zero, which Keycloak sends for an offline session", { refresh_expires_in: 0 }, undefined],
    ["zero beside another", { refresh_expires_in: 0, refresh_token_expires_in: 60 }, SENT_AT + 60_000],
    ["nothing", {}, undefined],
    ["null", { refresh_expires_in: null }, undefined],
    ["a negative number", { refresh_expires_in: -1 }, undefined],
    ["another type", { refresh_expires_in: {} }, undefined],
    ["a number beyond all dates", { refresh_expires_in: 1e300 }, 8.64e15],
  ])("is read from a response: %s", (_name, response, expected) => {
    expect(parse(response)).toMatchObject({ refreshTokenExpiresAt: expected, extra: expected ? response : {} });
  });

  it("is read from a response without an access token", () => {
    const read = (given: object) => parseTokenUpdate({ refreshToken: "r", ...given }, SENT_AT)?.refreshTokenExpiresAt;
    expect(read({ refresh_expires_in: 60 })).toBe(SENT_AT + 60_000);
    expect(read({ refreshTokenExpiresAt: SENT_AT + 7 })).toBe(SENT_AT + 7);
    expect(read({})).toBeUndefined();
  });

  it("may be passed by a caller as epoch milliseconds or ISO 8601, and not in seconds", () => {
    const time = SENT_AT + 123;
    for (const refreshTokenExpiresAt of [time, new Date(time).toISOString()]) {
      expect(parseTokenSet({ refreshToken: "r", refreshTokenExpiresAt })).toMatchObject({
        refreshTokenExpiresAt: time,
      });
      expect(parseReturnedTokens({ accessToken: "a", refreshTokenExpiresAt })).toMatchObject({
        refreshTokenExpiresAt: time,
      });
    }
    const inSeconds = { refreshToken: "r", refreshTokenExpiresAt: NOW };
    expect(() => parseTokenSet(inSeconds)).toThrow(/^tokens: refreshTokenExpiresAt is in seconds\. /);
    const wrong = { refreshToken: "r", refreshTokenExpiresAt: "tomorrow" };
    expect(() => parseTokenSet(wrong)).toThrow(/^tokens: refreshTokenExpiresAt is invalid\. Pass epoch milliseconds/);
  });
  it.each(["expires_at", "expires_in", "expiresIn", "expires", "expiry_date", "exp"])(
    "names %s, which is another's expiry",
    (name) => {
      const message = `tokens: ${name} is unknown. Pass expiresAt, in epoch milliseconds.`;
      expect(() => parseTokenSet({ accessToken: "a", [name]: 3600 })).toThrow(message);
      expect(parseTokenSet({ accessToken: "a", [name]: undefined, expiresAt: 4e12 })).not.toHaveProperty(name);
      expect(parseTokenSet({ accessToken: "a", [name]: 3600, expiresAt: 4e12 }).expiresAt).toBe(4e12);
    },
  );

  it.each([{}, { refreshToken: undefined }, { accessToken: undefined }])(
    "says which tokens are missing: %j",
    (tokens) => {
      expect(() => parseTokenSet(tokens)).toThrow(
        "tokens: both accessToken and refreshToken are undefined. A TokenSet needs at least",
      );
    },
  );

  it("is kept with the refresh token if a response omits it, and replaced if it tells another", () => {
    const previous = parseTokenSet({ refreshToken: "r", refreshTokenExpiresAt: SENT_AT });
    const replaced = mergeTokenSets(previous, parseTokenSet({ accessToken: "a", refreshToken: "s" }));
    expect(replaced.refreshTokenExpiresAt).toBeUndefined();
    expect(mergeTokenSets(previous, parseTokenSet({ accessToken: "a", refreshToken: "r" }))).toMatchObject({
      refreshToken: "r",
      refreshTokenExpiresAt: SENT_AT,
    });
    const next = parseTokenSet({ accessToken: "a", refreshTokenExpiresAt: SENT_AT + 1 });
    expect(mergeTokenSets(previous, next).refreshTokenExpiresAt).toBe(SENT_AT + 1);
  });

  it("is shown, because it is no secret", () => {
    expect(JSON.stringify(parse({ refresh_expires_in: 60 }))).toContain(`"refreshTokenExpiresAt":${SENT_AT + 60_000}`);
  });
});

describe("the other fields of a response", () => {
  it.each<[string, object, Partial<TokenSet>]>([
    ["token_type absent", {}, { tokenType: "Bearer" }],
    ["token_type null", { token_type: null }, { tokenType: "Bearer" }],
    ["token_type empty", { token_type: "" }, { tokenType: "Bearer" }],
    ["token_type of another scheme", { token_type: "DPoP" }, { tokenType: "DPoP" }],
    ["refresh_token", { refresh_token: "r" }, { refreshToken: "r" }],
    ["refresh_token null", { refresh_token: null }, { refreshToken: undefined }],
    ["refresh_token empty", { refresh_token: "" }, { refreshToken: undefined }],
    ["refresh_token of another type", { refresh_token: 7 }, { refreshToken: undefined }],
    ["scope", { scope: "a b" }, { scope: "a b" }],
    ["scope null", { scope: null }, { scope: undefined }],
    ["scope as an array", { scope: ["a", "b"] }, { scope: "a b" }],
    ["scope of another type", { scope: 7 }, { scope: undefined }],
    ["id_token", { id_token: "i" }, { idToken: "i" }],
    ["id_token of another type", { id_token: {} }, { idToken: undefined }],
    ["additional fields", { user: { id: 1 }, error: null }, { extra: { user: { id: 1 }, error: null } }],
    ["additional fields that are not JSON", { big: 1n }, { extra: {} }],
  ])("are read: %s", (_name, response, expected) => {
    expect(parse(response)).toMatchObject({ accessToken: "a", ...expected });
  });

  it.each([undefined, null, "text", [], {}, { access_token: "" }, { access_token: 7 }, { error: "x" }])(
    "are not read from %o",
    (response) => {
      expect(parseTokenResponse(response, SENT_AT)).toBeUndefined();
      const make = () => tokenSetFromResponse(response as TokenResponse, { sentAt: SENT_AT });
      expect(make).toThrow(new TypeError("response: expected a token endpoint's response with an access_token."));
    },
  );

  it.each([Number.NaN, Number.POSITIVE_INFINITY, undefined, "1"])("cause a TypeError if sentAt is %o", (sentAt) => {
    expect(() => tokenSetFromResponse({ access_token: "a" }, { sentAt } as never)).toThrow(
      /^sentAt: expected epoch milli/,
    );
    expect(() => tokenSetFromResponse({ access_token: "a" }, undefined as never)).toThrow(/^sentAt: /);
  });

  it("do not pollute prototypes", () => {
    const tokens = parse(JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'));
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect(tokens?.expiresAt).toBeUndefined();
  });

  it("are copied", () => {
    const user = { id: 1 };
    const tokens = parse({ user });
    user.id = 2;
    expect(tokens?.extra).toEqual({ user: { id: 1 } });
  });
});

describe("a token set from a caller", () => {
  it("is completed", () => {
    const given = { accessToken: jwt({ exp: NOW - 60 }) };
    expect(parseTokenSet(given)).toMatchObject({
      ...given,
      tokenType: "Bearer",
      extra: {},
      expiresAt: SENT_AT - 60_000,
    });
    expect(parseTokenSet({ ...given, expiresAt: 5 }).expiresAt).toBe(5);
  });

  it("may have its expiry as a date and time of ISO 8601, with milliseconds", () => {
    const given = { accessToken: "canary", expiresAt: new Date(NOW * 1000 + 789).toISOString() };
    expect(parseTokenSet(given).expiresAt).toBe(NOW * 1000 + 789);
  });

  it.each([
    "2026-01-01T00:00:00.250Z",
    "2026-01-01t00:00:00.250999z",
    "2026-01-01T01:00:00.250+01:00",
    "2025-12-31T22:30:00.25-0130",
    "2026-01-01 01:00:00.250 +01",
  ])("may have its expiry in the forms that programs write: %s", (expiresAt) => {
    expect(parseTokenSet({ accessToken: "canary", expiresAt }).expiresAt).toBe(Date.UTC(2026, 0, 1) + 250);
    expect(parseReturnedTokens({ accessToken: "canary", expiresAt })?.expiresAt).toBe(Date.UTC(2026, 0, 1) + 250);
  });

  it.each<[string, unknown, string]>([
    ["nothing", undefined, "the value"],
    ["a string", "canary", "the value"],
    ["an empty token", { accessToken: "" }, "accessToken"],
    ["an empty refresh token", { accessToken: "canary", refreshToken: "" }, "refreshToken"],
    ["a date", { accessToken: "canary", expiresAt: "2026-01-01" }, "expiresAt"],
    ["a date without a time zone", { accessToken: "canary", expiresAt: "2026-01-01T00:00:00.000" }, "expiresAt"],
    ["a date that does not exist", { accessToken: "canary", expiresAt: "2026-13-01T00:00:00.000Z" }, "expiresAt"],
    ["a date that no calendar has", { accessToken: "canary", expiresAt: "2026-02-30T00:00:00Z" }, "expiresAt"],
    ["an impossible time zone", { accessToken: "canary", expiresAt: "2026-01-01T00:00:00+99:99" }, "expiresAt"],
    ["a Date", { accessToken: "canary", expiresAt: new Date() }, "expiresAt"],
    ["NaN", { accessToken: "canary", expiresAt: Number.NaN }, "expiresAt"],
    ["Infinity", { accessToken: "canary", expiresAt: Number.POSITIVE_INFINITY }, "expiresAt"],
    ["extra", { accessToken: "canary", extra: "canary" }, "extra"],
  ])("causes a TypeError that names the field, never its value: %s", (_name, given, field) => {
    const make = () => parseTokenSet(given as TokenSet);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(`tokens: ${field} is invalid`);
    expect(make).not.toThrow(/canary/);
  });
});

it.each([
  ["a token endpoint's response", { access_token: "canary" }, /tokenSetFromResponse\(response, \{ sentAt \}\)/],
  ["a response without an access token", { refresh_token: "canary" }, /tokenSetFromResponse/],
  [
    "an expiry in seconds",
    { accessToken: "canary", expiresAt: NOW },
    /expiresAt is in seconds\. .*multiply it by 1,000/,
  ],
])("explains what to pass instead of %s", async (_name, given, message) => {
  expect(() => parseTokenSet(given as never)).toThrow(TypeError);
  expect(() => parseTokenSet(given as never)).toThrow(message);
  expect(() => parseTokenSet(given as never)).not.toThrow(/canary/);
  await expect(createTokenManager().adopt(given as never)).rejects.toThrow(message);
});

describe("a token set that was copied with JSON.stringify", () => {
  const tokens = parseTokenSet({ accessToken: "a", refreshToken: "r", idToken: "i", expiresAt: SENT_AT });
  const copy = (set: TokenSet): TokenSet => JSON.parse(JSON.stringify(set));

  it.each(["accessToken", "refreshToken", "idToken"] as const)("is refused because of its %s", async (field) => {
    const given = { ...tokens, [field]: "[secret]" };
    const message = `tokens: ${field} is the placeholder "[secret]", because JSON.stringify(tokenSet) leaves out the secrets. Copy the token set first: JSON.stringify({ ...tokenSet }).`;
    expect(() => parseTokenSet(given)).toThrow(new TypeError(message));
    await expect(createTokenManager().signIn(given)).rejects.toThrow(TypeError);
    const stored = JSON.stringify({ schema: 1, tokens: given, obtainedAt: 0, spent: [] });
    expect(() => parseRecord(stored, "here")).toThrow(`see "tokens.${field}"`);
  });

  it("is refused as a whole, and accepted if the token set was copied first", () => {
    expect(() => parseTokenSet(copy(tokens))).toThrow(TypeError);
    expect(parseTokenSet(copy({ ...tokens }))).toEqual(tokens);
  });
});

describe("a merged token set (RFC 6749 §6)", () => {
  const previous = parse({ refresh_token: "r1", scope: "s1", id_token: "i1", a: 1, b: 1, expires_in: 9 }) as TokenSet;
  it("keeps what the server omits, except the expiry", () => {
    const next = mergeTokenSets(previous, parse({ access_token: "a2", b: 2 }) as TokenSet);
    expect(next).toMatchObject({
      accessToken: "a2",
      refreshToken: "r1",
      scope: "s1",
      idToken: "i1",
      extra: { a: 1, b: 2 },
    });
    expect(next.expiresAt).toBeUndefined();
  });
  it.each([null, "", undefined])("keeps the refresh token if the server sends %o", (refresh_token) => {
    expect(mergeTokenSets(previous, parse({ refresh_token }) as TokenSet).refreshToken).toBe("r1");
  });
  it("adopts what the server sends", () => {
    const next = mergeTokenSets(previous, parse({ refresh_token: "r2", scope: "s2", id_token: "i2" }) as TokenSet);
    expect(next).toMatchObject({ refreshToken: "r2", scope: "s2", idToken: "i2" });
  });
});

describe("a token set (P8)", () => {
  const tokens = tokenSetFromResponse(
    {
      access_token: canary("access", 1),
      refresh_token: canary("refresh", 1),
      id_token: canary("id", 1),
      expires_in: 1,
      session: { key: canary("access", "extra") },
    },
    { sentAt: SENT_AT },
  );
  const kinds: [string, TokenSet][] = [
    ["from a response", tokens],
    ["from a caller", parseTokenSet(tokens)],
    ["merged", mergeTokenSets(tokens, tokens)],
    [
      "from a store",
      parseRecord(serializeRecord({ schema: 1, tokens, obtainedAt: 0, spent: [] }), "x").tokens ?? tokens,
    ],
  ];

  it.each(kinds)("prints without the secrets and extra: %s", (_name, each) => {
    const output = [each, [each], { nested: { deep: { er: { still: each } } } }, new Error("x", { cause: each })].map(
      printed,
    );
    expect(output.join()).not.toContain("canary");
    expect(JSON.parse(JSON.stringify(each))).toEqual({
      accessToken: "[secret]",
      refreshToken: "[secret]",
      expiresAt: SENT_AT + 1_000,
      tokenType: "Bearer",
    });
    expect(inspect(each)).toContain("expiresAt");
  });

  it.each(kinds)("shows no secret to console.dir, which ignores custom views: %s", (_name, each) => {
    const output = inspect(each, { customInspect: false, showHidden: true });
    expect(output).not.toContain("canary");
    expect(output).toContain("accessToken: [Getter]");
    expect(output).toContain(`expiresAt: ${SENT_AT + 1_000}`);
  });

  it.each(kinds)("is otherwise plain data, and frozen: %s", (_name, each) => {
    const expected = {
      accessToken: canary("access", 1),
      refreshToken: canary("refresh", 1),
      idToken: canary("id", 1),
      expiresAt: SENT_AT + 1_000,
      refreshTokenExpiresAt: undefined,
      tokenType: "Bearer",
      scope: undefined,
      extra: { session: { key: canary("access", "extra") } },
    };
    expect({ ...each }).toEqual(expected);
    expect(structuredClone(each)).toEqual(expected);
    expect(Object.keys(expected)).toEqual(expect.arrayContaining(Object.keys(each)));
    expect(Object.getOwnPropertySymbols({ ...each })).toEqual([]);
    expect(Object.isFrozen(each) && Object.isFrozen(each.extra)).toBe(true);
  });

  it("knows its secrets", () => {
    expect(secretsOf(tokens)).toEqual([canary("access", 1), canary("refresh", 1), canary("id", 1)]);
    expect(secretsOf(undefined)).toEqual([]);
  });
});

describe("account", () => {
  const account = (given: Partial<TokenSet>) =>
    accountOf({ accessToken: "opaque", tokenType: "Bearer", extra: {}, ...given });
  it.each<[string, Partial<TokenSet>, string | undefined]>([
    ["the ID token's iss and sub", { idToken: jwt({ iss: "https://a", sub: "1" }) }, "https://a 1"],
    ["the access token's iss and sub", { accessToken: jwt({ iss: "https://a", sub: "1" }) }, "https://a 1"],
    ["the ID token rather than the access token", { idToken: jwt({ sub: "1" }), accessToken: jwt({ sub: "2" }) }, " 1"],
    ["the access token if the ID token is opaque", { idToken: "opaque", accessToken: jwt({ sub: "2" }) }, " 2"],
    ["no sub", { accessToken: jwt({ iss: "https://a" }) }, undefined],
    ["sub of another type", { accessToken: jwt({ sub: 7 }) }, undefined],
    ["iss of another type", { accessToken: jwt({ sub: "1", iss: { toString: 1 } }) }, " 1"],
    ["characters beyond ASCII", { accessToken: jwt({ sub: "é€😀" }) }, " é€😀"],
    ["an opaque token", {}, undefined],
    ["invalid base64", { accessToken: "a.%%%.c" }, undefined],
    ["base64 of invalid JSON", { accessToken: "a.aGVsbG8.c" }, undefined],
  ])("is derived from the claims: %s", (_name, given, expected) => {
    expect(account(given)).toBe(expected);
  });
});

it.each(["\ud800", "x\udc00y", "\0", "a".repeat(1_000_000), "😀".repeat(1_000), ".".repeat(10_000)])(
  "survives a malformed token (%#)",
  (access_token) => {
    const tokens = parse({ access_token, refresh_token: access_token, id_token: access_token }) as TokenSet;
    expect(tokens.accessToken).toBe(access_token);
    expect(accountOf(tokens)).toBeUndefined();
    const value = serializeRecord({ schema: 1, tokens, obtainedAt: 0, spent: [] });
    expect(parseRecord(value, "x").tokens?.refreshToken).toBe(access_token);
  },
);
