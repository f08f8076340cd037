import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { maskQuotes, maskSecrets, redact } from "../../src/util/redact.ts";
import { printed } from "../support/leaks.ts";

const SECRET = 'canary ~+/é"\\x';
const secrets = [SECRET];
const failing = (message = SECRET, extra: object = {}) => Object.assign(new Error(`failed: ${message}`), extra);

describe("maskSecrets", () => {
  it.each([
    ["as it is", SECRET],
    ["percent-encoded", encodeURIComponent(SECRET)],
    ["form-encoded", new URLSearchParams({ a: SECRET }).toString().slice(2)],
    ["in JSON", JSON.stringify(SECRET).slice(1, -1)],
    ["twice", `${SECRET} ${SECRET}`],
  ])("masks a secret %s", (_name, text) => {
    expect(maskSecrets(`before ${text} after`, secrets)).toMatch(/^before (\[secret\] ?)+after$/);
  });

  it("masks the longer of two secrets first", () => {
    expect(maskSecrets("canary-1-long canary-1", ["canary-1", "canary-1-long"])).toBe("[secret] [secret]");
  });

  it.each(["", "a", "abc"])("ignores a string that is too short to be a secret: %j", (short) => {
    expect(maskSecrets("abc and a", [short])).toBe("abc and a");
  });

  it("masks secrets of four characters or more", () => expect(maskSecrets("abcd", ["abcd"])).toBe("[secret]"));

  it.each(["x\ud800yz", "\udc00\udc00\udc00\udc00", "$&$1$`", ".*+?^(){}"])("masks %j without crashing", (secret) => {
    expect(maskSecrets(`<${secret}>`, [secret])).toBe("<[secret]>");
    expect(maskSecrets(`<${new URLSearchParams({ a: secret }).toString().slice(2)}>`, [secret])).toBe("<[secret]>");
  });
});

describe("maskQuotes", () => {
  it.each([
    ["the whole token", "Invalid: canary-Refresh-7f3a9c21", "Invalid: [secret]"],
    ["its beginning", "Invalid: canary-Refresh-7f3… (cut)", "Invalid: [secret]… (cut)"],
    ["its end, in lower case", "Invalid: ...refresh-7f3a9c21", "Invalid: ...[secret]"],
    ["no more than a few characters", "Invalid: 9c21", "Invalid: 9c21"],
    ["words of its own", "The refresh-token is invalid (AADSTS70043)", "The refresh-token is invalid (AADSTS70043)"],
  ])("masks what a server quotes: %s", (_name, text, expected) => {
    expect(maskQuotes(text, ["canary-Refresh-7f3a9c21", "xrefresh-tokenx"])).toBe(expected);
  });
});

describe("redact", () => {
  const nest = (depth: number): Error => failing(SECRET, depth ? { cause: nest(depth - 1) } : {});
  const cyclic = failing();
  cyclic.cause = cyclic;
  const aggregate = new AggregateError([failing(), new AggregateError([failing()], SECRET), SECRET], `all: ${SECRET}`);
  const selfish = new AggregateError([], "self");
  selfish.errors.push(selfish, selfish, selfish);
  const multiline = new Error(`first\n${SECRET}\n    last`);
  const renamed = failing();
  renamed.name = `Name ${SECRET}`;

  it.each<[string, unknown]>([
    ["plain", failing()],
    ["with properties", failing(SECRET, { config: { headers: { authorization: SECRET } }, request: SECRET })],
    ["with a code", failing(SECRET, { code: `E_${SECRET}` })],
    ["with nested causes", nest(3)],
    ["with very many nested causes", nest(50)],
    ["that is its own cause", cyclic],
    ["with a cause that is not an Error", failing(SECRET, { cause: { token: SECRET } })],
    ["with a string as its cause", failing(SECRET, { cause: SECRET })],
    ["aggregated", aggregate],
    ["aggregating itself", selfish],
    ["with a message over several lines", multiline],
    ["with a name", renamed],
    ["frozen", Object.freeze(failing())],
    ["with a stack that was rewritten", failing(SECRET, { stack: `Error: ${SECRET}\n    at ${SECRET} (file.js:1:1)` })],
    ["with an array as its stack", failing(SECRET, { stack: [SECRET] })],
    ["with parts of other types", failing(SECRET, { message: undefined, name: 7, code: {}, errors: SECRET })],
    ["with getters, like DOMException", new DOMException(SECRET, "AbortError")],
    [
      "whose getters throw",
      {
        get message() {
          throw new Error(SECRET);
        },
      },
    ],
    ["a string", SECRET],
    ["an object", { token: SECRET, message: SECRET }],
    ["a function", () => SECRET],
    ["a symbol", Symbol(SECRET)],
    ["null", null],
    ["undefined", undefined],
  ])("leaves no secret in a thrown value: %s", (_name, thrown) => {
    const copy = redact(thrown, secrets);
    expect(copy).toBeInstanceOf(Error);
    expect(copy).not.toBe(thrown);
    expect(printed(copy)).not.toContain("canary");
  });

  it("keeps name, code, message, stack and causes", () => {
    const inner = Object.assign(new RangeError("inner"), { code: "E_IN" });
    const copy = redact(new TypeError("outer", { cause: inner }), secrets);
    expect(copy).toMatchObject({
      name: "TypeError",
      message: "outer",
      cause: { name: "RangeError", message: "inner", code: "E_IN" },
    });
    expect(copy.stack).toMatch(/^TypeError: outer\n {4}at .*redact\.test\.ts/);
    expect(inspect(copy)).toMatch(/TypeError.*outer/);
  });

  it("keeps an aggregate's errors, which tell that a connection was refused", () => {
    const copy = redact(new AggregateError([failing("a", { code: "ECONNREFUSED" }), "b"]), secrets);
    expect(copy).toMatchObject({ errors: [{ message: "failed: a", code: "ECONNREFUSED" }, { message: "b" }] });
  });

  it("keeps the frames of other engines' stacks, without the message among them", () => {
    const stack = "run@https://a.example/x.js:1:2\nfirst@line\n@file.js:3:4";
    expect(redact(failing("x", { stack }), []).stack).toBe(
      "Error: failed: x\nrun@https://a.example/x.js:1:2\n@file.js:3:4",
    );
  });

  it.each([
    ["null", null, "null was thrown, not an Error."],
    ["undefined", undefined, "undefined was thrown, not an Error."],
    ["a string", "no", "no"],
    ["a number", 7, "A number was thrown, not an Error."],
    ["an object", { a: 1 }, ""],
  ])("describes the thrown value: %s", (_name, thrown, message) => {
    expect(redact(thrown, []).message).toBe(message);
  });

  it.each([
    '"canary-unknown-token"',
    "canary-unknown",
    '{"access_token":"canary-unknown"',
    '{"a":"canary-unknown-token-x',
  ])("does not quote text that could not be parsed, which may contain unknown tokens: %s", (text) => {
    const thrown = (() => {
      try {
        return JSON.parse(`${text} `.replace(/^"(.*)" $/, "$1"));
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toBeInstanceOf(SyntaxError);
    const copy = redact(new Error("outer", { cause: thrown }), []);
    expect(copy.cause).toMatchObject({ name: "SyntaxError", message: "The text could not be parsed." });
    expect(printed(copy)).not.toContain("canary-");
  });
});
