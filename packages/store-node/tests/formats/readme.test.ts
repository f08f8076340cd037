/** Runs the example of the README. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as formats from "../../src/index.ts";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

it("shows an example that works", () => {
  const [, example = ""] = /^## Formats$.*?^```js\n(.*?)^```/ms.exec(README) ?? [];
  const [, names = ""] = /^import \{ (.*) \} from "@unexpired\/store-node";$/m.exec(example) ?? [];
  const text = '{"accounts":[{"id":"34ee18","access_token":"access-1","expires":1700000000,"plan":"max"}]}';
  const run = new Function(
    `{ ${names} }`,
    "text",
    `${example.replace(/^import .*$/m, "")}; return { session, signedOut };`,
  );
  const { session, signedOut } = run(formats, text);
  expect(session).toEqual({ tokens: { accessToken: "access-1", expiresAt: 1_700_000_000_000 } });
  expect(signedOut).toBe('{"accounts":[{"id":"34ee18","plan":"max"}]}');
});
