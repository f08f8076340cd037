import { describe, expect, it } from "vitest";
import { type JsonFields, type JsonFormatOptions, jsonFormat } from "../../src/index.ts";

const fields = { accessToken: "token" };

describe("jsonFormat rejects", () => {
  it.each<[string, unknown, string]>([
    ["an unknown option", { at: [], fields, path: "x" }, 'unknown option "path". Supported: at, fields.'],
    ["no fields", {}, "fields needs at least accessToken or refreshToken."],
    ["fields without a token", { fields: { scope: "scope" } }, "fields needs at least accessToken or refreshToken."],
    ["an unknown field", { fields: { ...fields, token: "x" } }, 'unknown option "token".'],
    ["an unknown option of a field", { fields: { accessToken: { path: "a", at: 1 } } }, 'unknown option "at".'],
    [
      "an unknown unit",
      { fields: { ...fields, expiresAt: { path: "x", unit: "min" } } },
      "Supported: ms, s, iso, lifetime.",
    ],
    [
      "a unit of a token",
      { fields: { accessToken: { path: "x", unit: "ms" } } },
      "fields.accessToken.unit is unknown.",
    ],
    ["a number as a path", { fields: { accessToken: { path: 5 } } }, "fields.accessToken.path must be a property name"],
    ["a number in a path", { fields: { accessToken: ["x", 5] } }, "fields.accessToken[1] must be a property name"],
    ["null as a path", { at: null, fields }, "at must be a property name"],
    ["a step without where", { at: [{ id: "x" }], fields }, "at[0] must be a property name, or { where: { … } }."],
    ["a step with more than where", { at: [{ where: { id: "x" }, id: 1 }], fields }, "at[0] must be"],
    ["an empty where", { at: [{ where: {} }], fields }, "at[0] must be"],
    ["a string as where", { at: [{ where: "id" }], fields }, "at[0] must be"],
    [
      "null in where",
      { at: [{ where: { id: null } }], fields },
      "at[0].where.id must be a string, a number or a boolean.",
    ],
    ["NaN in where", { at: [{ where: { id: Number.NaN } }], fields }, "at[0].where.id must be"],
    [
      "a field that is an entry of an array",
      { fields: { accessToken: [{ where: { a: 1 } }] } },
      "must lead to a property",
    ],
    ["an array in an array", { at: [{ where: { a: 1 } }, { where: { b: 1 } }], fields }, "must lead to a property"],
    ["an empty path", { fields: { accessToken: [] } }, "must lead to a property"],
    ["two fields in one place", { fields: { accessToken: "x", refreshToken: ["x"] } }, "have the same place."],
    ["a field inside another one", { fields: { accessToken: "x", refreshToken: ["x", "y"] } }, "have the same place."],
    [
      "the property that selects",
      { at: [{ where: { id: 1 } }], fields: { ...fields, account: "id" } },
      "Leave it out.",
    ],
    [
      "a lifetime that begins nowhere",
      { fields: { ...fields, expiresAt: { path: "x", unit: "lifetime" } } },
      "which needs fields.obtainedAt.",
    ],
  ])("%s", (_, options, message) => {
    expect(() => jsonFormat(options as JsonFormatOptions)).toThrow(TypeError);
    expect(() => jsonFormat(options as JsonFormatOptions)).toThrow(message);
  });
});

describe("the key", () => {
  const keyOf = (at: JsonFormatOptions["at"], own: JsonFields = fields) => jsonFormat({ at, fields: own }).key;

  it("is the place of the token, however it is written", () => {
    const key = keyOf(["a", { where: { x: 1, y: "z" } }]);
    expect(key).toBe('["a",[["x",1],["y","z"]],"token"]');
    expect(keyOf(["a", { where: { y: "z", x: 1 } }], { ...fields, scope: "s" })).toBe(key);
    expect(keyOf("a")).toBe(keyOf(["a"]));
    expect(keyOf("a")).toBe(keyOf(undefined, { accessToken: ["a", "token"] }));
  });

  it("is the same for programs that know different members of a session with a refresh token", () => {
    const key = keyOf("a", { refreshToken: "r" });
    expect(keyOf("a", { ...fields, refreshToken: "r" })).toBe(key);
  });

  it("differs for different entries", () => {
    const where = (value: string | number) => keyOf(["a", { where: { id: value } }]);
    const keys = [where("1"), where(1), where("2"), keyOf("a"), keyOf("a.b"), keyOf(["a", "b"]), keyOf([])];
    expect(new Set(keys).size).toBe(keys.length);
    expect(keyOf([], { refreshToken: "r" })).not.toBe(keyOf([]));
  });
});

it("does not follow later changes of its options", () => {
  const at = ["a"];
  const format = jsonFormat({ at, fields });
  at[0] = "b";
  expect(format.parse('{"a":{"token":"access-1"}}')?.tokens.accessToken).toBe("access-1");
  expect(Object.isFrozen(format)).toBe(true);
});
