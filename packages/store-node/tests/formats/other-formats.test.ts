import { describe, expect, it } from "vitest";
import { jsonFormat, migratingFormat, rawTokenFormat } from "../../src/index.ts";
import { asFound, problemOf, session } from "./support.ts";

const raw = rawTokenFormat();

describe("a bare token", () => {
  it.each([
    ["access-1", "access-1"],
    ["\uFEFF access-1\r\n", "access-1"],
    ["00Dx0!AQ.a*b|c%7E=", "00Dx0!AQ.a*b|c%7E="],
  ])("is parsed, and replaced inside its white space: %j", (text, token) => {
    expect({ ...raw.parse(text)?.tokens }).toEqual({ accessToken: token });
    expect(raw.print(asFound(raw.parse(text)), text)).toBe(text);
    expect(raw.print(session(), text)).toBe(text.replace(token, "access-2"));
    expect(raw.print(undefined, text)).toBeUndefined();
    expect(raw.print(session({ accessToken: "" }), text)).toBeUndefined();
  });

  it("is created", () => {
    expect(raw.print(session(), undefined)).toBe("access-2");
    expect(raw.print(session(), "\n")).toBe("access-2\n");
    expect(raw.print(undefined, undefined)).toBeUndefined();
    expect([raw.parse(""), raw.parse(" \n"), raw.print(undefined, "\n")]).toEqual([undefined, undefined, "\n"]);
  });

  it.each(['{"token":"access-1"', '"access-1"', "[access-1", "access-1 access-2", "a\nb", "<html>", "ключ", "a\0"])(
    "is not read from %j, which is never overwritten",
    (text) => {
      expect(problemOf(raw, text)).toContain("The document is not a bare access token.");
      for (const next of [session(), undefined]) expect(() => raw.print(next, text)).toThrow("not a bare access token");
    },
  );

  it("refuses a session with a refresh token, and a token that it could not read", () => {
    const refused = expect.objectContaining({ code: "CONFIGURATION" });
    expect(() => raw.print(session({ refreshToken: "refresh-2" }), "access-1")).toThrow(refused);
    expect(() => raw.print(session({ accessToken: "a b" }), "access-1")).toThrow(refused);
    expect(() => raw.print(session({ refreshToken: "refresh-2" }), undefined)).not.toThrow("refresh-2");
  });
});

const newer = jsonFormat({ at: "oauth", fields: { accessToken: "access", refreshToken: "refresh" } });
const older = jsonFormat({ fields: { accessToken: "token", expiresAt: "expires" } });

describe("a migration", () => {
  const format = migratingFormat(newer, older, raw);
  const both = session({ refreshToken: "refresh-2" });
  const NEW = '{"oauth":{"access":"access-2","refresh":"refresh-2"}}';

  it.each([
    ['{"oauth":{"access":"access-1"},"token":"old"}', "access-1"],
    ['{"token":"access-1","expires":5}', "access-1"],
    ["access-1\n", "access-1"],
  ])("reads %j, which stays until there are other tokens", (text, token) => {
    const parsed = format.parse(text);
    expect(parsed?.tokens.accessToken).toBe(token);
    expect(format.print(asFound(parsed), text)).toBe(text);
    const printed = format.print(both, text) ?? "";
    expect({ ...newer.parse(printed)?.tokens }).toEqual({ accessToken: "access-2", refreshToken: "refresh-2" });
    expect({ ...format.parse(printed)?.tokens }).toEqual({ accessToken: "access-2", refreshToken: "refresh-2" });
  });

  it("removes the session from its older place", () => {
    expect(format.print(both, '{"token":"access-1","expires":5,"theme":"dark"}')).toBe(
      '{"theme":"dark","oauth":{"access":"access-2","refresh":"refresh-2"}}',
    );
    expect(migratingFormat(older, raw).print(session(), "access-1")).toBe('{\n  "token": "access-2"\n}\n');
  });

  it("removes another session from an older place, so that a sign-out in the new one counts", () => {
    const printed = format.print(both, '{"token":"old","oauth":{"access":"access-1"},"x":1}') ?? "";
    expect(format.parse(printed.replace(/"oauth":.*?\}/, '"oauth":{}'))).toBeUndefined();
    expect(printed).toBe('{"oauth":{"access":"access-2","refresh":"refresh-2"},"x":1}');
  });

  it("keeps what an older format shares with the new one", () => {
    const shared = jsonFormat({ fields: { accessToken: "legacy", refreshToken: ["oauth", "refresh"] } });
    const text = '{"legacy":"old","oauth":{"access":"access-1","refresh":"refresh-1"}}';
    expect(migratingFormat(newer, shared).print(both, text)).toBe(
      '{"legacy":"old","oauth":{"access":"access-2","refresh":"refresh-2"}}',
    );
  });

  it("signs out everywhere", () => {
    expect(format.print(undefined, '{"oauth":{"access":"a"},"token":"b","x":1}')).toBe('{"oauth":{},"x":1}');
    expect(format.print(undefined, "access-1")).toBeUndefined();
    expect(format.print(undefined, "{}")).toBe("{}");
    expect(format.print(undefined, undefined)).toBeUndefined();
  });

  it("has the key of the first format, and its view of a document without a session", () => {
    expect(format.key).toBe(newer.key);
    expect(format.parse('{"oauth":null}')).toBeUndefined();
    expect(format.print(both, undefined)?.replaceAll(/\s/g, "")).toBe(NEW);
    expect(problemOf(format, '{"oauth":5}')).toContain("oauth is a number, not an object.");
    expect(problemOf(format, '{"oauth":{"access":"acc')).toContain("The document is not JSON");
    for (const next of [both, undefined]) expect(() => format.print(next, '{"oauth":')).toThrow("not JSON");
  });

  it("rejects an argument that is not a format", () => {
    expect(() => migratingFormat(newer, undefined as never)).toThrow("argument 2 must be a SessionFormat");
    expect(() => migratingFormat({ key: "x" } as never)).toThrow(TypeError);
  });
});
