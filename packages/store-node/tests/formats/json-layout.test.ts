/** Where additions go, and what a removal leaves. */
import { expect, it } from "vitest";
import { jsonFormat } from "../../src/index.ts";
import { session } from "./support.ts";

const fields = { accessToken: "t", refreshToken: "r" };
const root = jsonFormat({ fields });
const inner = jsonFormat({ at: "a", fields });
const entry = jsonFormat({ at: [{ where: { id: 1 } }], fields: { accessToken: "t" } });
const signedIn = session({ accessToken: "T", refreshToken: "R" });

it.each([
  [root, "{}", '{\n  "t": "T",\n  "r": "R"\n}'],
  [root, "{ }", '{\n  "t": "T",\n  "r": "R"\n}'],
  [root, "{\n}\n", '{\n  "t": "T",\n  "r": "R"\n}\n'],
  [root, "{ /* c */ }", '{\n  "t": "T",\n  "r": "R" /* c */ }'],
  [root, "{\n  // c\n}", '{\n  "t": "T",\n  "r": "R"\n  // c\n}'],
  [root, '{"x":1}', '{"x":1,"t":"T","r":"R"}'],
  [root, '{ "x": 1 }', '{ "x": 1, "t": "T", "r": "R" }'],
  [root, '{"x" : 1,}', '{"x" : 1, "t" : "T", "r" : "R",}'],
  [root, '{\n  "x": 1\n}', '{\n  "x": 1,\n  "t": "T",\n  "r": "R"\n}'],
  [root, '{\n    "x": 1, // c\n}', '{\n    "x": 1, // c\n    "t": "T",\n    "r": "R",\n}'],
  [root, '{\n  "x": 1 // c\n}', '{\n  "x": 1, // c\n  "t": "T",\n  "r": "R"\n}'],
  [
    root,
    '{\n  "x": 1 /* c */, /* d */ // e\n  // f\n}',
    '{\n  "x": 1 /* c */, /* d */ // e\n  "t": "T",\n  "r": "R",\n  // f\n}',
  ],
  [root, '{\n\t"x": 1}', '{\n\t"x": 1,\n\t"t": "T",\n\t"r": "R"}'],
  [root, '{\r\n "x": {}\r\n}', '{\r\n "x": {},\r\n "t": "T",\r\n "r": "R"\r\n}'],
  [inner, '{\n  "a": {},\n  "x": 1\n}', '{\n  "a": {\n    "t": "T",\n    "r": "R"\n  },\n  "x": 1\n}'],
  [
    inner,
    '{\n  "x": [\n    1\n  ], "y": 2\n}',
    '{\n  "x": [\n    1\n  ], "y": 2,\n  "a": {\n    "t": "T",\n    "r": "R"\n  }\n}',
  ],
  [inner, '{"a":null,"x":1}', '{"a":{"t":"T","r":"R"},"x":1}'],
  [inner, '{\n  "a": null\n}', '{\n  "a": {\n    "t": "T",\n    "r": "R"\n  }\n}'],
  [inner, '{\n  "a": { "x": 1 }\n}', '{\n  "a": { "x": 1, "t": "T", "r": "R" }\n}'],
  [entry, "[]", '[\n  {\n    "id": 1,\n    "t": "T"\n  }\n]'],
  [entry, "[\n]", '[\n  {\n    "id": 1,\n    "t": "T"\n  }\n]'],
  [entry, '[{"id":2}]', '[{"id":2},{"id":1,"t":"T"}]'],
  [entry, '[\n  {"id":2}, // c\n]', '[\n  {"id":2}, // c\n  {\n    "id":1,\n    "t":"T"\n  },\n]'],
  [entry, "[ 1, 2 ]", '[ 1, 2, {"id": 1, "t": "T"} ]'],
  [root, '{"x":1 // c\n}', '{"x":1, // c\n"t":"T",\n"r":"R"\n}'],
])("adds tokens in the style of the rest (%#)", (format, text, expected) => {
  expect(format.print(signedIn, text)).toBe(expected);
  expect(format.parse(expected)?.tokens.accessToken).toBe("T");
});

it.each([
  ['{"t":"T"}', "{}"],
  ['{ "t": "T" }', "{}"],
  ['{\n  "t": "T"\n}', "{}"],
  ['{ /* a */ "t": "T" /* b */ }', "{ /* a */ /* b */ }"],
  ['{\n  // a\n  "t": "T" // b\n}', "{\n  // a\n  // b\n}"],
  ['{"t":"T","x":1}', '{"x":1}'],
  ['{ "x": 1, "t": "T" }', '{ "x": 1 }'],
  ['{"x": 1, "t": "T", "y": 2}', '{"x": 1, "y": 2}'],
  ['{\n  "x": 1,\n  "t": "T"\n}', '{\n  "x": 1\n}'],
  ['{\n  "t": "T",\n  "x": 1\n}', '{\n  "x": 1\n}'],
  ['{\n  "x": 1, // x\n  "t": "T", // t\n  "y": 2 // y\n}', '{\n  "x": 1, // x\n  // t\n  "y": 2 // y\n}'],
  ['{\n  "x": 1, "t": "T"\n}', '{\n  "x": 1\n}'],
  ['{\n  "x": 1 // x\n  , "t": "T"\n}', '{\n  "x": 1 // x\n  \n}'],
  ['{\n  "x": 1,\n  "t": "T",\n}', '{\n  "x": 1,\n}'],
  ['{\n  "x": 1 /* x */,\n  "t": "T" /* t */,\n  "y": 2\n}', '{\n  "x": 1 /* x */,\n  /* t */\n  "y": 2\n}'],
  ['{\n  "t": "T", "r": "R",\n  "x": 1\n}', '{\n  "x": 1\n}'],
  ['{"t":"T",/* a */}', "{/* a */}"],
])("removes tokens with their commas, and leaves comments (%#)", (text, expected) => {
  expect(root.print(undefined, text)).toBe(expected);
  expect(root.parse(expected)).toBeUndefined();
});
