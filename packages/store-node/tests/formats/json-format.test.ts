/** The documents of programs that keep a session beside their own data. */
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { jsonFormat } from "../../src/index.ts";
import { asFound, problemOf, session } from "./support.ts";

/** A credentials file with the session of a program among its other data. */
const credentials = jsonFormat({
  at: ["claudeAiOauth"],
  fields: {
    accessToken: "accessToken",
    refreshToken: "refreshToken",
    expiresAt: { path: "expiresAt", unit: "ms" },
    scope: { path: "scopes", unit: "array" },
  },
});

const CREDENTIALS = `{
  "claudeAiOauth": {
    "accessToken": "access-1",
    "refreshToken": "refresh-1",
    "expiresAt": 1748658860401,
    "scopes": ["user:inference", "user:profile"],
    "subscriptionType": "max"
  },
  "mcpOAuth": {}
}`;

/** An auth.json without an expiry, and with the time of the last refresh outside of the token object. */
const auth = jsonFormat({
  fields: {
    accessToken: ["tokens", "access_token"],
    refreshToken: ["tokens", "refresh_token"],
    idToken: ["tokens", "id_token"],
    account: ["tokens", "account_id"],
    obtainedAt: { path: "last_refresh", unit: "iso" },
  },
});

const AUTH = `{
  "OPENAI_API_KEY": null,
  "tokens": {
    "id_token": "id-1",
    "access_token": "access-1",
    "refresh_token": "refresh-1",
    "account_id": "account-1"
  },
  "last_refresh": "2025-08-12T10:11:12.123456789Z"
}
`;

/** One entry of a pool, by its ID. */
const entryOf = (id: string) =>
  jsonFormat({
    at: ["accounts", { where: { id } }],
    fields: {
      accessToken: "access_token",
      refreshToken: "refresh_token",
      expiresAt: { path: "expires_in", unit: "lifetime" },
      obtainedAt: { path: ["meta", "obtained"], unit: "s" },
    },
  });

const POOL = `{
\t// several accounts
\t"accounts": [
\t\t{ "id": "a1", "access_token": "access-a", "label": "work" },
\t\t{
\t\t\t"id": "34ee18",
\t\t\t"access_token": "access-1", // rotates
\t\t\t"refresh_token": "refresh-1",
\t\t\t"expires_in": "3600",
\t\t\t"meta": { "obtained": 1700000000 },
\t\t},
\t],
}
`;

describe("a credentials file", () => {
  it("is parsed", () => {
    expect(credentials.parse(CREDENTIALS)).toEqual({
      tokens: {
        accessToken: "access-1",
        refreshToken: "refresh-1",
        expiresAt: 1_748_658_860_401,
        scope: "user:inference user:profile",
      },
    });
  });

  it("changes in its own values only", () => {
    const next = session({
      accessToken: "access-2",
      refreshToken: "refresh-2",
      expiresAt: 2e12,
      scope: "user:profile",
    });
    const expected = CREDENTIALS.replace("access-1", "access-2")
      .replace("refresh-1", "refresh-2")
      .replace("1748658860401", "2000000000000")
      .replace('["user:inference", "user:profile"]', '["user:profile"]');
    expect(credentials.print(next, CREDENTIALS)).toBe(expected);
  });

  it("loses the old refresh token, expiry and scope if the new session has none", () => {
    const printed = credentials.print(session(), CREDENTIALS);
    expect(printed).toBe(`{
  "claudeAiOauth": {
    "accessToken": "access-2",
    "subscriptionType": "max"
  },
  "mcpOAuth": {}
}`);
  });

  it("keeps everything else after a sign-out", () => {
    const printed = credentials.print(undefined, CREDENTIALS) ?? "";
    expect(printed).toBe(`{
  "claudeAiOauth": {
    "subscriptionType": "max"
  },
  "mcpOAuth": {}
}`);
    expect(credentials.parse(printed)).toBeUndefined();
    expect(credentials.print(undefined, printed)).toBe(printed);
  });

  it("is created", () => {
    const text = credentials.print(session({ refreshToken: "refresh-2", scope: "a b" }), undefined);
    expect(text).toBe(`{
  "claudeAiOauth": {
    "accessToken": "access-2",
    "refreshToken": "refresh-2",
    "scopes": [
      "a",
      "b"
    ]
  }
}
`);
    expect(credentials.print(undefined, undefined)).toBeUndefined();
  });
});

describe("an auth.json", () => {
  it("is parsed, up to the millisecond", () => {
    expect(auth.parse(AUTH)).toEqual({
      tokens: { accessToken: "access-1", refreshToken: "refresh-1", idToken: "id-1" },
      account: "account-1",
      obtainedAt: Date.parse("2025-08-12T10:11:12.123Z"),
    });
  });

  it("stays as it is if it holds the session, although its time is more precise", () => {
    expect(auth.print(asFound(auth.parse(AUTH)), AUTH)).toBe(AUTH);
  });

  it("keeps the style of its time", () => {
    const obtainedAt = Date.parse("2026-01-02T03:04:05.678Z");
    const printed = auth.print(session({ idToken: "id-2", account: "account-1", obtainedAt }), AUTH);
    expect(printed).toContain('"last_refresh": "2026-01-02T03:04:05.678000000Z"');
    expect(printed).not.toContain("refresh_token");
  });

  it("does not state when its tokens were obtained if it did not before", () => {
    const text = '{ "tokens": { "access_token": "access-1" } }';
    expect(auth.print(session({ accessToken: "access-1" }), text)).toBe(text);
    expect(auth.print(session(), text)).toBe(
      '{ "tokens": { "access_token": "access-2" }, "last_refresh": "2023-11-14T22:13:20.000Z" }',
    );
  });
});

describe("an entry of a pool", () => {
  const entry = entryOf("34ee18");

  it("is parsed, with the expiry that follows from its lifetime", () => {
    expect(entry.parse(POOL)).toEqual({
      tokens: { accessToken: "access-1", refreshToken: "refresh-1", expiresAt: 1_700_003_600_000 },
      obtainedAt: 1_700_000_000_000,
    });
  });

  it("changes beside its siblings", () => {
    const next = session({ refreshToken: "refresh-2", obtainedAt: 1_800_000_000_900, expiresAt: 1_800_000_060_999 });
    const printed = entry.print(next, POOL) ?? "";
    const expected = POOL.replace("access-1", "access-2")
      .replace("refresh-1", "refresh-2")
      .replace('"3600"', '"60"')
      .replace("1700000000", "1800000000");
    expect(printed).toBe(expected);
    expect(entryOf("a1").parse(printed)?.tokens.accessToken).toBe("access-a");
    expect(entry.parse(printed)?.tokens.expiresAt).toBe(1_800_000_060_000);
  });

  it("is appended if it is missing", () => {
    const printed = entryOf("new").print(session({ expiresAt: 1_700_000_060_000 }), POOL) ?? "";
    expect(printed).toBe(
      POOL.replace(
        "\t],",
        `\t\t{
\t\t\t"id": "new",
\t\t\t"access_token": "access-2",
\t\t\t"expires_in": 60,
\t\t\t"meta": {
\t\t\t\t"obtained": 1700000000
\t\t\t}
\t\t},
\t],`,
      ),
    );
    expect(entry.parse(printed)).toEqual(entry.parse(POOL));
  });

  it("stays in the array after a sign-out, with what it has besides", () => {
    const printed = entry.print(undefined, POOL) ?? "";
    expect(printed).toBe(`{
\t// several accounts
\t"accounts": [
\t\t{ "id": "a1", "access_token": "access-a", "label": "work" },
\t\t{
\t\t\t"id": "34ee18",
\t\t\t// rotates
\t\t\t"meta": {},
\t\t},
\t],
}
`);
    expect(entry.parse(printed)).toBeUndefined();
  });

  it("drops a lifetime whose beginning is unknown together with its tokens", () => {
    const text = '[{"id":"x","token":"access-1","expires_in":60}]';
    const format = jsonFormat({
      at: [{ where: { id: "x" } }],
      fields: { accessToken: "token", expiresAt: { path: "expires_in", unit: "lifetime" }, obtainedAt: "at" },
    });
    expect(format.parse(text)).toEqual({ tokens: { accessToken: "access-1" } });
    expect(format.print(asFound(format.parse(text)), text)).toBe(text);
    expect(format.print(session({ accessToken: "access-1" }), text)).toBe(text);
    expect(format.print(session(), text)).toBe('[{"id":"x","token":"access-2","at":1700000000000}]');
  });

  it("can be selected by several properties, and by numbers and booleans", () => {
    const where = { kind: "oauth", slot: 2, active: true };
    const format = jsonFormat({ at: ["list", { where }], fields: { accessToken: "token" } });
    const text = format.print(session(), '{"list":[null,3,{"kind":"oauth","slot":"2","active":true,"token":"no"}]}');
    expect(text).toBe(
      '{"list":[null,3,{"kind":"oauth","slot":"2","active":true,"token":"no"},{"active":true,"kind":"oauth","slot":2,"token":"access-2"}]}',
    );
  });

  it("is unreadable if several entries match", () => {
    expect(problemOf(entry, '{"accounts":[{"id":"34ee18"},{"id":"34ee18"}]}')).toContain(
      'accounts[id = "34ee18"] matches several entries.',
    );
  });
});

describe("no session", () => {
  it.each([
    ["an empty document", ""],
    ["white space", " \r\n\t"],
    ["a byte order mark", "\uFEFF"],
    ["comments", "// nothing\n/* here */"],
    ["null", "null"],
    ["an object without the entry", '{"other":1}'],
    ["null in place of the entry", '{"claudeAiOauth":null}'],
    ["an entry without tokens", '{"claudeAiOauth":{"expiresAt":"invalid","scopes":3}}'],
    ["empty tokens", '{"claudeAiOauth":{"accessToken":"","refreshToken":null}}'],
  ])("is found in %s, which stays as it is and takes a session", (_, text) => {
    expect(credentials.parse(text)).toBeUndefined();
    expect(credentials.print(undefined, text)).toBe(text);
    expect(credentials.print(session({ accessToken: "" }), text)).toBe(text);
    const next = session({ refreshToken: "refresh-2", expiresAt: 2e12, scope: "a" });
    const printed = credentials.print(next, text) ?? "";
    const { accessToken, refreshToken, expiresAt, scope } = next.tokens;
    expect(credentials.parse(printed)).toEqual({ tokens: { accessToken, refreshToken, expiresAt, scope } });
    if (text.includes("//")) expect(printed.startsWith(`${text}\n{`)).toBe(true);
    if (text.startsWith("\uFEFF")) expect(printed.startsWith("\uFEFF{")).toBe(true);
  });
});

describe("what is unreadable", () => {
  it.each([
    ['{"claudeAiOauth":', "The document is not JSON: value expected in line 1, column 18."],
    ['{\r\n  "a": 1\r\n  "b": 2 }', "The document is not JSON: comma expected in line 3, column 3."],
    ["{} {}", "The document is not JSON: end of file expected in line 1, column 4."],
    ['{"a":"\t"}', "The document is not JSON: invalid character in line 1, column 6."],
    ["[".repeat(100_000), "The document is nested too deeply."],
    ["[]", "The document is an array, not an object."],
    ['"secret-token"', "The document is a string, not an object."],
    ['{"claudeAiOauth":"secret-token"}', "claudeAiOauth is a string, not an object."],
    ['{"claudeAiOauth":{"accessToken":5}}', "claudeAiOauth.accessToken is a number, not a string."],
    ['{"claudeAiOauth":{"accessToken":["secret-token"]}}', "claudeAiOauth.accessToken is an array, not a string."],
    ['{"claudeAiOauth":{"refreshToken":{}}}', "claudeAiOauth.refreshToken is an object, not a string."],
    ['{"claudeAiOauth":{"accessToken":"x","expiresAt":true}}', "claudeAiOauth.expiresAt is a boolean, not a number."],
    ['{"claudeAiOauth":{"accessToken":"x","scopes":[1]}}', "claudeAiOauth.scopes contains a number, not only strings."],
  ])("throws for %.60s, and never overwrites it", (text, message) => {
    expect(problemOf(credentials, text)).toContain(message);
    expect(problemOf(credentials, text)).not.toContain("secret-token");
    for (const next of [session(), undefined]) expect(() => credentials.print(next, text)).toThrow(message);
  });

  it("throws an error that names the place with its own code", () => {
    expect(() => entryOf("x").parse('{"accounts":{}}')).toThrow(
      expect.objectContaining({
        code: "STORE_UNREADABLE",
        location: "accounts",
        problem: "is an object, not an array",
      }),
    );
    const dotted = jsonFormat({ at: "a.b", fields: { accessToken: "$token" } });
    expect(problemOf(dotted, '{"a.b":{"$token":{}}}')).toContain('["a.b"].$token is an object, not a string.');
  });
});

it("hides tokens from inspections of what it parsed", () => {
  const parsed = credentials.parse(CREDENTIALS);
  expect(`${inspect(parsed)} ${JSON.stringify(parsed)}`).not.toMatch(/access-1|refresh-1/);
  expect(parsed && { ...parsed.tokens }).toMatchObject({ accessToken: "access-1" });
});
