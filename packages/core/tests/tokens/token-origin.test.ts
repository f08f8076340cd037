import { inspect } from "node:util";
import { canary } from "@unexpired-internal/test-support/canary";
import { expect, it } from "vitest";
import { createTokenManager } from "../../src/index.ts";
import { tokenOriginOf, withTokenOrigin } from "../../src/tokens/token-origin.ts";
import { parseTokenSet } from "../../src/tokens/token-set.ts";
import { printed } from "../support/leaks.ts";

const ORIGIN = "https://as.example";
const plain = parseTokenSet({ accessToken: canary("access", 1), refreshToken: canary("refresh", 1) });
const marked = withTokenOrigin(plain, ORIGIN);

it("marks a token set, which stays the same otherwise", () => {
  expect(tokenOriginOf(marked)).toBe(ORIGIN);
  expect(marked).toEqual(plain);
  expect(Object.isFrozen(marked)).toBe(true);
});

it("shows neither the mark nor the tokens", () => {
  for (const text of [printed(marked), inspect(marked, { showHidden: true, customInspect: false })]) {
    expect(text).not.toContain("canary");
  }
  expect(printed(marked)).not.toContain("as.example");
  expect(Object.keys(marked)).toEqual(Object.keys(plain));
});

it.each<[string, (tokens: object) => object]>([
  ["a copy", (tokens) => ({ ...tokens })],
  ["Object.assign", (tokens) => Object.assign({}, tokens)],
  ["JSON", (tokens) => JSON.parse(JSON.stringify({ ...tokens }))],
  ["a structured clone", (tokens) => structuredClone({ ...tokens })],
])("is not kept by %s", (_name, copy) => {
  expect(tokenOriginOf(copy(marked))).toBeUndefined();
});

it("is unknown for other token sets", async () => {
  expect(tokenOriginOf(plain)).toBeUndefined();
  expect(tokenOriginOf({ [Symbol.for("unexpired.token-origin")]: 7 })).toBeUndefined();
  await using tokens = createTokenManager();
  await tokens.signIn(marked);
  expect(tokenOriginOf(await tokens.getTokenSet())).toBeUndefined();
});

it("is recognized by another copy of the package", async () => {
  const path = "../../src/tokens/token-origin.ts?second-copy";
  const other: typeof import("../../src/tokens/token-origin.ts") = await import(/* @vite-ignore */ path);
  expect(other.tokenOriginOf(marked)).toBe(ORIGIN);
});
