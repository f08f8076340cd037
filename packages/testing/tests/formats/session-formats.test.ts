/** Runs the kit on the formats of `@unexpired/store-node`, and checks how it reports. */
import { readFileSync } from "node:fs";
import type { SessionFormat } from "@unexpired/core";
import { jsonFormat, migratingFormat, rawTokenFormat } from "@unexpired/store-node";
import { describe, expect, it, vi } from "vitest";
import { describeSessionFormat, type FormatHarness, formatCases, type Runner, runFormatCase } from "../../src/index.ts";
import { jsonHarness } from "./json-harness.ts";

const raw: FormatHarness = {
  format: rawTokenFormat(),
  fields: ["accessToken"],
  documents: [
    { name: "a bare token", text: ({ tokens }) => tokens.accessToken },
    { name: "a bare token on a line", text: ({ tokens }) => `${tokens.accessToken}\n` },
  ],
  unreadable: [({ tokens }) => `{"token":"${tokens.accessToken}"}`, ({ tokens }) => `two ${tokens.accessToken}`],
};

const newer = jsonFormat({
  at: "auth",
  fields: {
    accessToken: "access",
    refreshToken: "refresh",
    expiresAt: { path: "expires_in", unit: "lifetime" },
    obtainedAt: { path: "at", unit: "s" },
  },
});

const migrating: FormatHarness = {
  format: migratingFormat(newer, rawTokenFormat()),
  fields: ["accessToken", "refreshToken", "expiresAt", "obtainedAt"],
  precision: 1000,
  documents: [
    {
      name: "a document of the newer format",
      text: ({ tokens, obtainedAt }) =>
        JSON.stringify({
          auth: {
            at: Math.floor(obtainedAt / 1000),
            expires_in: Math.floor((Number(tokens.expiresAt) - Math.floor(obtainedAt / 1000) * 1000) / 1000),
            refresh: tokens.refreshToken,
            access: tokens.accessToken,
          },
          a: 1,
        }),
    },
  ],
  unreadable: [
    ({ tokens }) => `{"auth":{"access":"${tokens.accessToken}`,
    {
      name: "a document of the newer format with a list in place of the token",
      text: ({ tokens }) => `{\n  "a": 1,\n  "auth": { "access": ["${tokens.accessToken}"], "plan": "max" }\n}\n`,
      keeps: ['"a": 1', '"plan": "max"'],
    },
  ],
};

describe("jsonFormat", () => describeSessionFormat({ describe, it }, jsonHarness()));
describe("rawTokenFormat", () => describeSessionFormat({ describe, it }, raw));
describe("migratingFormat", () => describeSessionFormat({ describe, it }, migrating));

it("passes in the example of the README", async () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const [, example = ""] = /^## The kit for session formats$.*?^```ts\n(.*?)^```/ms.exec(readme) ?? [];
  const define = new Function(
    "describe",
    "it",
    "jsonFormat",
    "describeSessionFormat",
    example.replace(/^import .*$/gm, ""),
  );
  const bodies: Test[1][] = [];
  define(
    (_: string, body: () => void) => body(),
    (...[, body]: Test) => bodies.push(body),
    jsonFormat,
    describeSessionFormat,
  );
  expect(bodies.length).toBe(formatCases.length);
  const printed = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  for (const body of bodies) await body.call(undefined);
  printed.mockRestore();
});

const discardingCases = formatCases.filter(({ needs }) => needs.includes("discard"));

type Test = Parameters<Runner["it"]>;

it("defines a test with a timeout for each case, and prints what it skips", async () => {
  const tests: Test[] = [];
  describeSessionFormat({ describe: (_, body) => body(), it: (...test) => tests.push(test) }, raw);
  expect(tests.map(([name, , timeout]) => [name, timeout])).toEqual(formatCases.map(({ name }) => [name, 20_000]));
  const printed = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  for (const [, body] of tests) await body.call(undefined);
  const lines = printed.mock.calls.map(([line]) => String(line));
  printed.mockRestore();
  expect(lines).toEqual([
    "skipped: removes each member that the new session does not have, and restores it (not applicable: the format owns nothing but the access token)\n",
    "skipped: keeps times up to the precision that the harness declares (not applicable: the format owns nothing but the access token)\n",
    "skipped: leaves everything else at a sign-out (not testable: no document of the harness has `keeps`)\n",
    "skipped: has another key than the format of another entry (not testable: the harness has no `neighbors`)\n",
    "skipped: leaves the sessions of other entries alone (not testable: the harness has no `neighbors`)\n",
    ...discardingCases.map(({ name }) => `skipped: ${name} (not promised: the format has no \`discard\`)\n`),
  ]);
});

it("skips the cases of what discard has to leave if no unreadable text of the harness has anything else", async () => {
  const { unreadable, ...rest } = migrating;
  const reasons = await Promise.all(
    discardingCases.map((each) => runFormatCase(each, { ...rest, unreadable: unreadable?.slice(0, 1) })),
  );
  const reason = "not testable: no unreadable text of the harness has `keeps`";
  expect(reasons.filter((each) => each === reason)).toHaveLength(3);
});

it("reports what happened, with the clause of the contract", async () => {
  const rewriting = (format: SessionFormat): SessionFormat => ({
    ...format,
    print: (session, found) => format.print(session, found)?.replaceAll("  ", "\t"),
  });
  const each = formatCases.find(({ name }) => name === "changes no byte that it does not own");
  const failure = each && (await runFormatCase(each, jsonHarness(rewriting)).catch((error: unknown) => error));
  expect(String(failure)).toBe(
    `ConformanceError: Printing another session into a file with comments wrote "// Accounts\\n{\\n\\t\\"theme\\": \\"dark\\",\\n\\t\\"accounts\\": [\\n\\t\\t{ \\"id" instead of "// Accounts\\n{\\n  \\"theme\\": \\"dark\\",\\n  \\"accounts\\": [\\n    {".
The format contract: Every byte of the document that the format does not own stays.
See docs/writing-a-format.md#keep`,
  );
});

it("runs with the sessions of the harness, of which it needs two", async () => {
  const [first, second] = ["one", "two"].map((accessToken) => ({
    tokens: { accessToken, tokenType: "Bearer", extra: {} },
    obtainedAt: 5,
  }));
  if (!first || !second) throw new TypeError("unreachable");
  for (const each of formatCases) await runFormatCase(each, { ...raw, sessions: [first, second] });
  const [each] = formatCases.slice(1);
  await expect(each && runFormatCase(each, { ...raw, sessions: [first] })).rejects.toThrow(
    "needs two sessions or more",
  );
});
