import { describe, expect, it } from "vitest";
import { type JsonFields, jsonFormat } from "../../src/index.ts";
import { asFound, problemOf, session } from "./support.ts";

type Unit = "ms" | "s" | "iso";

const timed = (unit: Unit) => jsonFormat({ fields: { accessToken: "token", expiresAt: { path: "at", unit } } });
const textWith = (value: string) => `{"token":"access-1","at":${value}}`;
const read = (unit: Unit, value: string) => timed(unit).parse(textWith(value))?.tokens.expiresAt;
const write = (unit: Unit, time: number, found = "null") =>
  JSON.parse(timed(unit).print(session({ expiresAt: time }), textWith(found)) ?? "").at;

describe("a time", () => {
  it.each<[Unit, string, number | undefined]>([
    ["ms", "1700000000123", 1_700_000_000_123],
    ["ms", '"1700000000123"', 1_700_000_000_123],
    ["ms", "1.7e12", 1_700_000_000_000],
    ["ms", "0", 0],
    ["ms", "-1", -1],
    ["ms", "null", undefined],
    ["ms", '""', undefined],
    ["s", "1700000000", 1_700_000_000_000],
    ["s", '"1700000000"', 1_700_000_000_000],
    ["s", "1700000000.123", 1_700_000_000_123],
    ["s", "-1", -1000],
    ["iso", '"2023-11-14T22:13:20Z"', 1_700_000_000_000],
    ["iso", '"2023-11-14T22:13:20.1Z"', 1_700_000_000_100],
    ["iso", '"2023-11-14T22:13:20.123999999z"', 1_700_000_000_123],
    ["iso", '"2023-11-14t23:13:20.123+01:00"', 1_700_000_000_123],
    ["iso", '"2023-11-14 16:43:20-0530"', 1_700_000_000_000],
    ["iso", '"2023-11-14 22:13:20 +00"', 1_700_000_000_000],
    ["iso", '"2023-11-14T22:13:20"', 1_700_000_000_000],
    ["iso", '"2023-11-14T22:13"', 1_699_999_980_000],
    ["iso", '"2023-11-14"', 1_699_920_000_000],
    ["iso", '"+275760-09-13T00:00:00Z"', 8.64e15],
    ["iso", "null", undefined],
    ["iso", '""', undefined],
  ])("in %s: reads %s", (unit, value, expected) => {
    expect(read(unit, value)).toBe(expected);
    const text = textWith(value);
    expect(timed(unit).print(asFound(timed(unit).parse(text)), text)).toBe(text);
  });

  it.each<[Unit, string, string]>([
    ["ms", "1700000000", 'is in seconds, not in milliseconds: its unit has to be "s".'],
    ["s", "1700000000000", 'is in milliseconds, not in seconds: its unit has to be "ms".'],
    ["iso", "1700000000", 'is a number, not an ISO 8601 time: its unit has to be "ms" or "s".'],
    ["ms", '"2023-11-14T22:13:20Z"', "is a string that is not a number."],
    ["ms", '"NaN"', "is a string that is not a number."],
    ["s", '" 5"', "is a string that is not a number."],
    ["ms", "1e400", "is not a time that a Date can represent."],
    ["s", "1e14", "is not a time that a Date can represent."],
    ["iso", '"2023-02-30T00:00:00Z"', "is not an ISO 8601 time."],
    ["iso", '"2023-11-14T25:00:00Z"', "is not an ISO 8601 time."],
    ["iso", '"tomorrow"', "is not an ISO 8601 time."],
    ["iso", '"2023-11-14T22:13:20+99:99"', "is not an ISO 8601 time."],
    ["iso", '"-271821-04-20T00:00:00+01:00"', "is not a time that a Date can represent."],
    ["iso", "[]", "is an array, not a string."],
  ])("in %s: rejects %s", (unit, value, problem) => {
    expect(problemOf(timed(unit), textWith(value))).toContain(`at ${problem}`);
    expect(() => timed(unit).print(session(), textWith(value))).toThrow(problem);
  });

  it.each<[Unit, number, string, unknown]>([
    ["ms", 1_700_000_000_123, "null", 1_700_000_000_123],
    ["ms", 1_700_000_000_123, "5", 1_700_000_000_123],
    ["ms", 1_700_000_000_123, '"5"', "1700000000123"],
    ["ms", 1_700_000_000_123, '""', 1_700_000_000_123],
    ["ms", Number.POSITIVE_INFINITY, "5", 8.64e15],
    ["ms", Number.NaN, "5", undefined],
    ["s", 1_700_000_000_999, "5", 1_700_000_000],
    ["s", 1_700_000_000_999, '"5"', "1700000000"],
    ["s", -1, "5", -1],
    ["iso", 1_700_000_000_123, "null", "2023-11-14T22:13:20.123Z"],
    ["iso", 1_700_000_000_123, '"2020-01-01"', "2023-11-14T22:13:20.123Z"],
    ["iso", 1_700_000_000_000, '"2020-01-01T00:00:00Z"', "2023-11-14T22:13:20Z"],
    ["iso", 1_700_000_000_100, '"2020-01-01T00:00:00Z"', "2023-11-14T22:13:20.100Z"],
    ["iso", 1_700_000_000_123, '"2020-01-01T00:00:00.5Z"', "2023-11-14T22:13:20.123Z"],
    ["iso", 1_700_000_000_000, '"2020-01-01T00:00:00.123456+00:00"', "2023-11-14T22:13:20.000000+00:00"],
    ["iso", 1_700_000_000_000, '"2020-01-01 00:00:00 +0530"', "2023-11-15 03:43:20 +0530"],
    ["iso", 1_700_000_000_000, '"2020-01-01T00:00:00-03:00"', "2023-11-14T19:13:20-03:00"],
    ["iso", 1_700_000_000_000, '"2020-01-01T00:00:00"', "2023-11-14T22:13:20"],
    ["iso", 8.64e15, '"2020-01-01T00:00:00+01:00"', "+275760-09-13T00:00:00.000Z"],
  ])("in %s: writes %d in the style of %s", (...[unit, time, found, expected]) => {
    expect(write(unit, time, found)).toBe(expected);
  });

  it("is refused if the session has it in seconds, because it could not be read back", () => {
    expect(() => write("ms", 1_700_000_000)).toThrow("a time of the session is in seconds");
    expect(write("iso", 1_700_000_000)).toBe("1970-01-20T16:13:20.000Z");
  });

  it("stays as it is if it means the same", () => {
    const text = textWith("1.7e9");
    const next = session({ accessToken: "access-1", expiresAt: 1_700_000_000_999 });
    expect(timed("s").print(next, text)).toBe(text);
    expect(timed("s").print({ ...next, tokens: { ...next.tokens, accessToken: "access-2" } }, text)).toBe(
      '{"token":"access-2","at":1.7e9}',
    );
  });
});

const owning = (fields: JsonFields) => jsonFormat({ fields: { accessToken: "token", ...fields } });
const printed = (fields: JsonFields, parts: Parameters<typeof session>[0], found: string) =>
  owning(fields).print(session(parts), `{"token":"access-1",${found}}`);

describe("a scope", () => {
  const text = { scope: "scp" };
  const list = { scope: { path: "scp", unit: "array" } } as const;

  it.each<[JsonFields, string, string]>([
    [text, '"scp":"x"', '"scp":"a b"'],
    [text, '"scp":["x"]', '"scp":["a","b"]'],
    [list, '"scp":"x"', '"scp":"a b"'],
    [list, '"scp":[ "x" , "y" ]', '"scp":["a" , "b"]'],
    [list, '"scp":null', '"scp":["a","b"]'],
    [text, '"scp":null', '"scp":"a b"'],
    [list, '"other":1', '"other":1,"scp":["a","b"]'],
  ])("%j: %s becomes %s", (fields, found, expected) => {
    expect(printed(fields, { scope: "a b" }, found)).toBe(`{"token":"access-2",${expected}}`);
  });

  it.each([["null"], ["[]"], ['""']])("is unknown if it is %s, and stays so", (value) => {
    expect(owning(list).parse(`{"token":"access-1","scp":${value}}`)?.tokens).not.toHaveProperty("scope");
    expect(printed(list, {}, `"scp":${value}`)).toBe(`{"token":"access-2","scp":${value}}`);
  });
});

describe("an account", () => {
  const account = { account: "id" };

  it("can be an integer of any size, and stays one", () => {
    expect(owning(account).parse('{"token":"access-1","id":12345678901234567890}')?.account).toBe(
      "12345678901234567890",
    );
    expect(printed(account, { account: "7" }, '"id":5')).toBe('{"token":"access-2","id":7}');
    expect(printed(account, { account: "ada" }, '"id":5')).toBe('{"token":"access-2","id":"ada"}');
    expect(printed(account, { account: "7" }, '"id":"5"')).toBe('{"token":"access-2","id":"7"}');
    expect(problemOf(owning(account), '{"token":"access-1","id":1.5}')).toContain(
      "id is a number, but not an integer.",
    );
  });
});

it("writes every token so that it is read back", () => {
  const format = owning({ refreshToken: "refresh" });
  for (const token of [
    '"',
    "\\",
    "$&$1",
    "\u2028\u0000",
    "\uD800",
    "é🔑",
    "__proto__",
    "</script>",
    "a".repeat(100_000),
  ]) {
    const text = format.print(session({ accessToken: token, refreshToken: token }), '{"token":"x"}') ?? "";
    expect(JSON.parse(text)).toEqual({ token, refresh: token });
    expect({ ...format.parse(text)?.tokens }).toEqual({ accessToken: token, refreshToken: token });
  }
});

it("counts the last of several properties with the same name, as JSON.parse does", () => {
  const format = jsonFormat({ at: "auth", fields: { accessToken: "token" } });
  const text = '{"auth":{"token":"a"},"auth":{"token":"b","token":"c"}}';
  expect(format.parse(text)?.tokens.accessToken).toBe("c");
  expect(format.print(session(), text)).toBe('{"auth":{"token":"a"},"auth":{"token":"b","token":"access-2"}}');
  expect(format.print(undefined, text)).toBe('{"auth":{},"auth":{}}');
});

it("reads names that objects have by inheritance", () => {
  const format = jsonFormat({ at: ["__proto__", "constructor"], fields: { accessToken: "toString" } });
  expect(format.parse("{}")).toBeUndefined();
  const text = format.print(session(), "{}") ?? "";
  expect(text.replaceAll(/\s/g, "")).toBe('{"__proto__":{"constructor":{"toString":"access-2"}}}');
  expect(format.parse(text)?.tokens.accessToken).toBe("access-2");
});

it("edits a large document quickly", () => {
  const entries = Array.from({ length: 20_000 }, (_, index) => ({ id: `id-${index}`, token: `token-${index}` }));
  const text = JSON.stringify({ accounts: entries }, undefined, 2);
  const format = jsonFormat({ at: ["accounts", { where: { id: "id-19999" } }], fields: { accessToken: "token" } });
  const start = performance.now();
  expect(format.print(session(), text)).toBe(text.replace("token-19999", "access-2"));
  expect(performance.now() - start).toBeLessThan(5000);
});
